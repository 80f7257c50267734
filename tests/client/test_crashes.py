"""A download can be killed before any of its file system calls, and the next run completes it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from harness.chaos import Chaos, Faults
from harness.versions import MIB, Version
from tools.command import environment

from async_downloads.client.decisions.spans import Spans
from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.client.disk.journal import Record
from async_downloads.client.disk.part_file import PartFile
from async_downloads.client.disk.part_names import journal_of, part_of
from async_downloads.client.disk.url_hashes import UrlHashes
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import Validators

SIZE: Final = 3 * MIB + 5
RIGHT: Final = Version(0, SIZE)
OLD: Final = b"old"

# Dies before the system call with that number. Calls of libraries do not count.
_PROGRAM: Final = """
import asyncio, json, os, signal, sys, threading
from async_downloads.client import download

CALLS = {"open", "pwrite", "pwritev", "write", "fsync", "fdatasync", "replace", "rename", "link", "ftruncate",
         "truncate", "utime", "setxattr", "unlink", "remove", "chmod", "fchmod", "close", "flock"}
url, destination = sys.argv[1], json.loads(sys.argv[2])


def die_before(number):
    left = number

    def look(frame, event, called):
        nonlocal left
        if event == "c_call" and called.__name__ in CALLS and called.__module__ in ("posix", "fcntl"):
            left -= 1
            if left <= 0:  # a thread may have counted in between
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(look)
    sys.setprofile(look)


def fetched(*, number=0):
    pid = os.fork()
    if pid == 0:
        if number:
            die_before(number)
        asyncio.run(download(url, **destination))
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    sys.stdout.write(".")
    sys.stdout.flush()
    sys.stdin.readline()
    return status


number, status = 1, signal.SIGKILL
while status == signal.SIGKILL:
    status = fetched(number=number)
    assert fetched() == 0
    number += 1
assert status == 0, status
"""


@pytest.mark.parametrize(
    ("connections", "named"),
    [pytest.param(1, True, id="named by the user"), pytest.param(4, False, id="named by the server")],
)
async def test_a_download_killed_before_any_system_call_completes_in_the_next_run(
    tmp_path: Path, connections: int, named: bool
) -> None:
    chaos, path = Chaos(Faults(size=SIZE)), tmp_path / "chaos.bin"
    destination = {"path": str(path)} if named else {"directory": str(tmp_path)}
    kills = 0
    async with chaos.listening() as url:
        with _dying(url, {**destination, "connections": connections}) as process:
            while await _ends(process):
                assert not path.exists() or RIGHT.difference(path) is None
                _go_on(process)
                assert await _ends(process)
                assert [*tmp_path.iterdir()] == [path]
                assert RIGHT.difference(path) is None
                path.unlink()
                _go_on(process)
                kills += 1
            assert process.wait() == 0
    assert kills > 10
    assert chaos.sent < 2 * SIZE * kills


@pytest.mark.parametrize("connections", [1, 4])
async def test_a_kill_keeps_the_old_version_until_the_new_one_is_whole(tmp_path: Path, connections: int) -> None:
    chaos, path = Chaos(Faults(size=SIZE)), tmp_path / "chaos.bin"
    kills = 0
    async with chaos.listening() as url:
        _begin_old(url, path)
        with _dying(url, {"path": str(path), "connections": connections}) as process:
            while await _ends(process):
                new = [each for each in (path, part_of(path, new=True)) if each.exists()]
                assert any(RIGHT.difference(each) is None for each in new) or _is_old(path)
                _go_on(process)
                assert await _ends(process)
                assert [*tmp_path.iterdir()] == [path]
                assert RIGHT.difference(path) is None
                path.unlink()
                _begin_old(url, path)
                _go_on(process)
                kills += 1
            assert process.wait() == 0
    assert kills > 10


def _begin_old(url: str, path: Path) -> None:
    """Leave the same files as an interrupted download of an older version."""
    hashes, version = UrlHashes.of(url), RemoteVersion(10, Validators(ETag("old")), '"old"')
    part_file, held = PartFile(path, hashes.url, hashes.unsigned), Spans.of([(0, len(OLD))])
    os.pwrite(part_file.fd, OLD, 0)
    part_file.save(Record(version, held, held))
    part_file.close()


def _is_old(path: Path) -> bool:
    return part_of(path).read_bytes() == OLD and "old" in journal_of(path).read_text()


@contextmanager
def _dying(url: str, destination: Mapping[str, object]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the program for the block."""
    command, pipe = (sys.executable, "-c", _PROGRAM, url, json.dumps(destination)), subprocess.PIPE
    with subprocess.Popen(command, env=environment(), stdin=pipe, stdout=pipe, bufsize=0) as process:
        try:
            yield process
        finally:
            process.kill()


async def _ends(process: subprocess.Popen[bytes]) -> bool:
    """Wait until a download has ended; return False if it was the last one."""
    assert process.stdout
    return bool(await asyncio.to_thread(process.stdout.read, 1))


def _go_on(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.write(b"\n")
