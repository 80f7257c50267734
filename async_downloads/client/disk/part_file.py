"""The file that a download goes to: `NAME.part` until it is whole, then `NAME`, with `NAME.part.json` beside it.

The part is locked, so that two processes cannot write to it. Its bytes come in any order, each to its place. Every
function but `write` waits for the disk, so it is called in a thread.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import aiofiles.os

from ...errors import DiskError, TargetBusy
from ..decisions.version import RemoteVersion
from .journal import SUFFIX, Journal, Record
from .lock import is_at, locked, refuse_locked, unlink_alias
from .provenance import save

__all__ = ["PartFile", "journal_of", "map_disk_errors", "part_of", "tidy", "write_all"]


_VECTOR: Final = 1024  # buffers that POSIX lets one call write, at the least that systems have


def write_all(fd: int, buffers: Sequence[bytes], offset: int) -> None:
    """Write the buffers one after the other, from `offset` on; a call may write less than it is given."""
    for first in range(0, len(buffers), _VECTOR):
        group = buffers[first : first + _VECTOR]
        size, written = sum(map(len, group)), os.pwritev(fd, group, offset)
        while written < size:
            written += os.pwrite(fd, b"".join(group)[written:], offset + written)
        offset += size


_BLOCK: Final = 512  # bytes, whatever the file system's blocks are
_KEPT: Final = (".part", SUFFIX, f"{SUFFIX}.tmp")  # the endings of what is beside a file that is not whole


@aiofiles.os.wrap
def _in_thread(function: Callable[..., None], *arguments: object) -> None:
    function(*arguments)


def part_of(path: Path) -> Path:
    """Return the name that a file has while it is not whole."""
    return path.parent / f"{path.name}.part"


def journal_of(path: Path) -> Path:
    """Return the name of the journal that a file has while it is not whole."""
    return path.parent / f"{path.name}{SUFFIX}"


@contextmanager
def map_disk_errors(path: Path) -> Iterator[None]:
    """Raise DiskError for what the system says about a file, with the name of the file."""
    try:
        yield
    except OSError as error:
        raise DiskError(f"{path}: {error.strerror or error}") from error


class PartFile:
    """A file to be, open and locked. TargetBusy when somebody else has it, DiskError when it cannot be had.

    `url` is the hash of the URL it comes from. Once it is `placed`, nothing here is for anybody to change any more.
    """

    def __init__(self, path: Path, url: str) -> None:
        with map_disk_errors(path):
            _refuse_unusual(path)
        self.path: Path = path
        self.part: Path = part_of(path)
        self.published: bool = False
        self._unsure = False
        self._url = url
        self._journal = Journal(journal_of(path), url)
        with map_disk_errors(self.part):
            self._journal.check()
            self.fd: int = locked(self.part)
        # One thread for all connections: several would fight for the interpreter, with each other and with the loop.
        self._writing = ThreadPoolExecutor(1)
        self._refuse_neighbours()

    def _refuse_neighbours(self) -> None:
        """Refuse `a.part` while somebody downloads to `a`, and the reverse.

        The own lock is held by now, so of two that begin at the same time one sees the other at least.
        """
        try:
            for part in _neighbours(self.path):
                refuse_locked(part)
        except TargetBusy:
            self.close()
            raise

    def resume(self) -> Record | None:
        """Return what the part holds; None when that is nothing of use."""
        record = self._journal.load()
        if record and os.fstat(self.fd).st_size >= record.held.end > 0:
            return record.reopened()
        return None

    def clear(self) -> None:
        """Forget what there is, also should the power go: a journal must not outlive the bytes it tells of."""
        self._check()
        with map_disk_errors(self.part):
            if self._journal.remove():
                _flush_directory(self.part.parent)
            os.ftruncate(self.fd, 0)

    def reserve(self, size: int, *, anew: bool = False) -> None:
        """DiskError when the disk has no room for so many bytes more; `anew`, what there is makes room for them."""
        with map_disk_errors(self.part):
            disk, status = os.fstatvfs(self.fd), os.fstat(self.fd)
        free = disk.f_bavail * disk.f_frsize + (status.st_blocks * _BLOCK if anew else 0)
        if disk.f_blocks and size > free:
            raise DiskError(f"{self.part}: {size:,} bytes are to come, and there is room for {free:,}")

    async def write(self, runs: Iterable[tuple[int, Sequence[bytes]]], record: Record | None = None) -> None:
        """Write each run of buffers at its place, in a thread, and save the record when all of them are in the file.

        All that in one turn of the thread, of which there are hundreds in a second.
        """
        await _in_thread(self._write, runs, record, executor=self._writing)

    def _write(self, runs: Iterable[tuple[int, Sequence[bytes]]], record: Record | None) -> None:
        with map_disk_errors(self.part):
            for offset, buffers in runs:
                write_all(self.fd, buffers, offset)
        if record:
            self.save(record)

    def flush(self) -> None:
        """Return when the disk has what was written. Once that has failed, it fails for ever."""
        with map_disk_errors(self.part):
            self._sync(os.fdatasync)

    def _sync(self, sync: Callable[[int], None]) -> None:
        """Flush. What cannot be written the kernel drops, and it says so once: the next call would bring good news."""
        if self._unsure:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._unsure = True
        sync(self.fd)
        self._unsure = False

    def save(self, record: Record) -> None:
        """Write down what is held."""
        self._check()
        with map_disk_errors(self._journal.path):
            self._journal.save(record)

    def truncate(self, size: int) -> None:
        """Give up what is after so many bytes."""
        with map_disk_errors(self.part):
            os.ftruncate(self.fd, size)

    def complete(self, version: RemoteVersion) -> None:
        """Give the whole file its size and the time of its version, and have the disk take it all."""
        modified = version.validators.last_modified
        with map_disk_errors(self.part):
            os.ftruncate(self.fd, version.total or 0)
            if modified is not None:
                os.utime(self.fd, (modified, modified))
            save(self.fd, self._url, version)
            self._sync(os.fsync)

    def publish(self, path: Path, *, replace: bool) -> bool:
        """Give the file its name; False when that is taken and not to be replaced."""
        self._check()
        with map_disk_errors(path):
            if not _rename(self.part, path, replace=replace):
                return False
        self.published = True
        with suppress(OSError):  # the file is there, whatever is the matter with its journal
            self._journal.remove()
        _flush_directory(path.parent)
        return True

    def discard(self) -> None:
        """Delete what there is, unless it has its name already: then the others are somebody else's."""
        with map_disk_errors(self.part):
            if is_at(self.fd, self.part):
                self._journal.remove()
                self.part.unlink()

    def close(self) -> None:
        """Let somebody else have it. What there is stays, but a part with nothing in it does not."""
        self._writing.shutdown(wait=False)
        try:
            with suppress(OSError):
                if not os.fstat(self.fd).st_size and is_at(self.fd, self.part):
                    self._unlink_empty()
        finally:
            os.close(self.fd)

    def _unlink_empty(self) -> None:
        if self._journal.load():  # it tells of what is not there; one of another URL is not ours
            self._journal.remove()
        self.part.unlink()

    def _check(self) -> None:
        """DiskError when the part is not what was written to, so that no other file is taken for it."""
        with map_disk_errors(self.part):
            if not is_at(self.fd, self.part):
                raise DiskError(f"{self.part}: was removed or replaced by somebody else")


def tidy(path: Path) -> None:
    """Remove the part that is the whole file: somebody was killed in the middle of giving it its name."""
    unlink_alias(part_of(path), path)


def _neighbours(path: Path) -> Iterator[Path]:
    """Yield the parts of downloads to what this one keeps, and of those that would keep something at this path."""
    for ending in _KEPT:
        yield part_of(path.with_name(f"{path.name}{ending}"))
        if path.name.endswith(ending) and path.name != ending:
            yield part_of(path.with_name(path.name.removesuffix(ending)))


def _refuse_unusual(path: Path) -> None:
    """Refuse a folder, and what only looks like a file: to rename over /dev/null would be the end of it."""
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file")


def _rename(part: Path, path: Path, *, replace: bool) -> bool:
    if replace:
        part.replace(path)
        return True
    try:
        path.hardlink_to(part)  # unlike a rename it replaces nothing
    except FileExistsError:
        return False
    except OSError:  # the file system has no links
        if path.exists():
            return False
        part.replace(path)
        return True
    with suppress(OSError):  # it has its name
        part.unlink()
    return True


def _flush_directory(directory: Path) -> None:
    with suppress(OSError):  # some file systems cannot, and have no need to
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
