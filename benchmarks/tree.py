"""The served directory: three small files, a large one, files to be read cold, and directories to be listed."""

import mmap
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.settings import KIB, MIB, Settings

__all__ = ["LARGE", "PROBE", "SMALL", "Tree", "built", "entry", "evict", "listed"]

SMALL = {"1k.bin": KIB, "64k.bin": 64 * KIB, "1m.bin": MIB}
PROBE = "1k.bin"
LARGE = "large.bin"
EVICTION_PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0)
SPARE = 2048 * MIB  # left free on the disk


@dataclass(frozen=True, slots=True)
class Tree:
    """The files, and the folder that holds them."""

    directory: Path
    large_size: int
    cold: tuple[str, ...]
    cold_size: int

    def size(self, name: str) -> int:
        """Return the length of a file."""
        return (self.directory / name).stat().st_size

    def slice(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes of that part of the file."""
        with (self.directory / name).open("rb") as file:
            file.seek(start)
            return file.read(stop - start)


def listed(count: int) -> str:
    """Return the name of the directory with ``count`` entries."""
    return f"listed-{count}"


def entry(number: int) -> str:
    """Return the name of an entry of such a directory."""
    return f"entry-{number:05}.txt"


@contextmanager
def built(settings: Settings, parent: Path, *, cold: bool, listing: bool = False) -> Iterator[Tree]:
    """Write the files into a new folder of ``parent``, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=parent) as name:
        directory = Path(name)
        for file, size in {**SMALL, LARGE: settings.large_size}.items():
            _write(directory / file, size)
        for entries in settings.listed if listing else ():
            _fill(directory / listed(entries), entries)
        count = _affordable(settings, directory) if cold else 0
        names = tuple(f"cold-{number:02}.bin" for number in range(count))
        for file in names:
            _write(directory / file, settings.cold_size)
            _settle(directory / file)
        yield Tree(directory, settings.large_size, names, settings.cold_size)


def evict(path: Path) -> bool:
    """Drop the file from the page cache; False when its first or last page stays there.

    Pages that sendfile has put into a socket stay until that connection is closed, hence several attempts. The check
    itself must not start read-ahead: a page with the read-ahead mark makes its next reader read ahead, too.
    """
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    try:
        return any(_evicted(fd, pause) for pause in EVICTION_PAUSES)
    finally:
        os.close(fd)


def _evicted(fd: int, pause: float) -> bool:
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    time.sleep(pause)
    last = max(0, os.fstat(fd).st_size - 1) // mmap.PAGESIZE * mmap.PAGESIZE
    return not (_cached(fd, last) or _cached(fd, 0))


def _cached(fd: int, offset: int) -> bool:
    """Return whether the page at the offset is in the page cache."""
    try:
        os.preadv(fd, [bytearray(1)], offset, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    return True


def _affordable(settings: Settings, directory: Path) -> int:
    free = shutil.disk_usage(directory).free - SPARE
    return max(0, min(settings.cold_files, free // settings.cold_size))


def _settle(path: Path) -> None:
    """Read the file from the disk once: on a virtual machine the first read may be much slower."""
    evict(path)
    with path.open("rb", buffering=0) as file:
        while file.read(MIB):
            pass
    evict(path)


def _fill(directory: Path, count: int) -> None:
    directory.mkdir()
    for number in range(count):
        (directory / entry(number)).write_bytes(b"x" * (number % 1000))


def _write(path: Path, size: int) -> None:
    """Write bytes that no file system can compress or store as a hole, and flush them to the disk."""
    block = bytearray(random.Random(path.name).randbytes(min(size, MIB)))
    with path.open("wb") as file:
        for number in range(max(1, size // MIB)):
            block[:8] = number.to_bytes(8, "big")
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
