"""Directories that the table of mounts names as other file systems, and devices that do not respond."""

import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from async_downloads import file_systems
from async_downloads.file_systems import threads_of

__all__ = ["DEVICES", "hanging", "mounts", "occupy"]

_LINE: Final = "36 35 0:{minor} / {place} rw,relatime shared:1 master:2 - {kind} server:/data rw\n"
_KINDS: Final = {"nfs": "nfs4", "user": "fuse.sshfs", "with space": "cifs", "disk": "ext4"}
# No system has these devices, so no other test uses their threads.
DEVICES: Final = {name: os.makedev(0, minor) for minor, name in enumerate(_KINDS, 1000)}


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with directories that the table of mounts names; return the folder."""
    table, folder = tmp_path / "mountinfo", tmp_path / "folder"
    rows = ["22 1 0:20 / / rw - nfs root rw\n"]
    for name, kind in _KINDS.items():
        (folder / name / "deep").mkdir(parents=True)
        (folder / name / "deep" / "a.txt").write_bytes(b"a")
        place, minor = str(folder / name).replace(" ", "\\040"), os.minor(DEVICES[name])
        rows.append(_LINE.format(minor=minor, place=place, kind=kind))
    table.write_text("".join(rows))
    monkeypatch.setattr(file_systems, "_MOUNTS", str(table))
    monkeypatch.setattr(file_systems, "_MOUNTS_SECONDS", -math.inf)  # another test may have changed the clock
    monkeypatch.setattr(file_systems, "_read_mounts", file_systems._read_mounts)  # set it back at the end
    return folder


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """Return an event that calls to a file system wait for; it is set after the test."""
    event = threading.Event()
    yield event
    event.set()


def occupy(device: int, until: threading.Event) -> None:
    """Let all threads of the device wait, as they do if it does not respond."""
    begun = threading.Semaphore(0)

    def wait() -> None:
        begun.release()
        until.wait()

    for _ in range(file_systems._MAX_THREADS):
        threads_of(device).submit(wait)
        begun.acquire()
