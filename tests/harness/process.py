"""The resources of this process: descriptors and tasks, and the privilege to open files."""

import asyncio
import gc
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["catches", "descriptors", "is_stopped", "no_descriptors_left", "other_tasks", "unprivileged"]

_NOBODY = 65534


def descriptors(path: Path | None = None, *, pid: int | None = None) -> dict[int, str]:
    """Return the open files of this or another process, by the numbers of their descriptors.

    With a path, return only the descriptors of that file, even if it was deleted.
    """
    found, folder = {}, f"/proc/{pid or 'self'}/fd"
    for number in os.listdir(folder):
        with suppress(FileNotFoundError):  # it was closed meanwhile, like the one that lists them
            found[int(number)] = os.readlink(f"{folder}/{number}")
    return {fd: place for fd, place in found.items() if path is None or place.removesuffix(" (deleted)") == str(path)}


def catches(pid: int, number: int) -> bool:
    """Whether a process has a function for that signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    [mask] = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(mask, 16) >> (number - 1) & 1)


def is_stopped(pid: int) -> bool:
    """Whether the kernel shows the process as stopped by a signal. It may run on for a moment after SIGSTOP."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def other_tasks() -> set["asyncio.Task[object]"]:
    """Return the tasks of this loop, without the current one."""
    current = asyncio.current_task()
    return {task for task in asyncio.all_tasks() if task is not current}


@contextmanager
def no_descriptors_left(*, but: int = 0) -> Iterator[None]:
    """Make every `open` fail as in a process with no free descriptors, except for `but` of them."""
    gc.collect()  # otherwise it might close files later, and numbers would be free again
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = [os.open("/", os.O_RDONLY) for _ in range(but + 1)]
    for fd in spare:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare[-1], hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def unprivileged() -> Iterator[None]:
    """Run the block as a user to whom file modes apply, unlike root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)
