"""The file that a download writes: `NAME.part` until it is complete, then `NAME`, with `NAME.part.json` beside it."""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ...errors import DiskError, TargetBusy
from ...threads import in_thread
from ..decisions.version import RemoteVersion
from .journal import SUFFIX, Journal, Record
from .lock import is_at, open_locked, refuse_locked
from .provenance import save

__all__ = ["PartFile", "journal_of", "map_disk_errors", "part_of", "write_all"]


_MAX_BUFFERS: Final = 1024  # of one call: systems take at least so many (POSIX, IOV_MAX)


def write_all(fd: int, buffers: Sequence[bytes], offset: int) -> None:
    """Write the buffers one after the other, from `offset` on. One call of the system may write only a part of them."""
    for first in range(0, len(buffers), _MAX_BUFFERS):
        group = buffers[first : first + _MAX_BUFFERS]
        size, written = sum(map(len, group)), os.pwritev(fd, group, offset)
        while written < size:
            written += os.pwrite(fd, b"".join(group)[written:], offset + written)
        offset += size


_BLOCK_BYTES: Final = 512  # unit of `st_blocks`, on every file system
_SUFFIXES: Final = (".part", SUFFIX, f"{SUFFIX}.tmp")  # of the files beside an unfinished one


def part_of(path: Path) -> Path:
    """Return the path of the part file of an unfinished download to `path`."""
    return path.parent / f"{path.name}.part"


def journal_of(path: Path) -> Path:
    """Return the path of the journal of an unfinished download to `path`."""
    return path.parent / f"{path.name}{SUFFIX}"


@contextmanager
def map_disk_errors(path: Path) -> Iterator[None]:
    """Raise DiskError with the path for an OSError."""
    try:
        yield
    except OSError as error:
        raise DiskError(f"{path}: {error.strerror or error}") from error


class PartFile:
    """One part file, open and locked, so that no other process writes to it. The destination owns and closes it.

        open ──publish──▶ published: the file has its name, nothing here may change any more
          ├────discard──▶ deleted
          └────close────▶ closed: unlocked; the part stays, if it is not empty

    Bytes may be written in any order. Every method except `write` blocks on the disk, so callers run it in a thread.

    `url` is the hash of the URL. Raises TargetBusy if another download has the file, DiskError if it cannot be opened.
    """

    def __init__(self, path: Path, url: str) -> None:
        with map_disk_errors(path):
            _refuse_special(path)
        self.path: Path = path
        self.part: Path = part_of(path)
        self.published: bool = False
        self._flush_failed = False
        self._url = url
        self._journal = Journal(journal_of(path), url)
        with map_disk_errors(self.part):
            self._journal.check_name_length()
            self.fd: int = open_locked(self.part)
        # One thread for all connections: several would compete for the interpreter with each other and the event loop.
        self._executor = ThreadPoolExecutor(1)
        self._refuse_neighbours()

    def _refuse_neighbours(self) -> None:
        """Raise TargetBusy if a download to `a` is running and this one is to `a.part`, or the reverse.

        This one's lock is already held, so of two that start at the same time at least one sees the other.
        """
        try:
            for part in _neighbours(self.path):
                refuse_locked(part)
        except TargetBusy:
            self.close()
            raise

    def resume(self) -> Record | None:
        """Return what the journal says that the part holds; None if there is no journal or the part is too short."""
        record = self._journal.load()
        if record and os.fstat(self.fd).st_size >= record.held.end > 0:
            return record.reopened()
        return None

    def clear(self) -> None:
        """Delete all bytes. The journal is removed from the disk first: it must not name bytes that are gone."""
        self._refuse_replaced()
        with map_disk_errors(self.part):
            if self._journal.remove():
                _flush_directory(self.part.parent)
            os.ftruncate(self.fd, 0)

    def reserve(self, size: int, *, truncates: bool = False) -> None:
        """Raise DiskError if the disk has no space for `size` more bytes.

        With `truncates`, the bytes of the part are about to be deleted and their space counts as free.
        """
        with map_disk_errors(self.part):
            disk, status = os.fstatvfs(self.fd), os.fstat(self.fd)
        free = disk.f_bavail * disk.f_frsize + (status.st_blocks * _BLOCK_BYTES if truncates else 0)
        if disk.f_blocks and size > free:  # some file systems report no blocks at all
            raise DiskError(f"{self.part}: {size:,} bytes are to come, and there is room for {free:,}")

    async def write(self, runs: Iterable[tuple[int, Sequence[bytes]]], record: Record | None = None) -> None:
        """Write runs of buffers, each at its offset, then save the record in the journal.

        One thread hop per batch; there are hundreds per second.
        """
        await in_thread(lambda: self._write(runs, record), executor=self._executor)

    def _write(self, runs: Iterable[tuple[int, Sequence[bytes]]], record: Record | None) -> None:
        with map_disk_errors(self.part):
            for offset, buffers in runs:
                write_all(self.fd, buffers, offset)
        if record:
            self.save(record)

    def flush(self) -> None:
        """Return after the disk has the written bytes. Raises DiskError; after one error each call fails."""
        with map_disk_errors(self.part):
            self._sync(os.fdatasync)

    def _sync(self, sync: Callable[[int], None]) -> None:
        """Flush with a call of the system. After a failure the kernel drops the bytes and reports success next time."""
        if self._flush_failed:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._flush_failed = True  # until it has succeeded: any exception must leave this set
        sync(self.fd)
        self._flush_failed = False

    def save(self, record: Record) -> None:
        """Save the record in the journal."""
        self._refuse_replaced()
        with map_disk_errors(self._journal.path):
            self._journal.save(record)

    def truncate(self, size: int) -> None:
        """Delete all bytes from position `size` on."""
        with map_disk_errors(self.part):
            os.ftruncate(self.fd, size)

    def complete(self, version: RemoteVersion) -> None:
        """Give the complete file its size, its Last-Modified time and its provenance, and flush it to the disk."""
        modified = version.validators.last_modified
        with map_disk_errors(self.part):
            os.ftruncate(self.fd, version.total or 0)
            if modified is not None:
                os.utime(self.fd, (modified, modified))
            save(self.fd, self._url, version)
            self._sync(os.fsync)

    def publish(self, path: Path, *, replace: bool) -> bool:
        """Give the file its name. Return False if the name is taken and `replace` is false."""
        self._refuse_replaced()
        with map_disk_errors(path):
            if not _rename(self.part, path, replace=replace):
                return False
        self.published = True
        with suppress(OSError):  # the download has succeeded even if its journal stays
            self._journal.remove()
        _flush_directory(path.parent)
        return True

    def discard(self) -> None:
        """Delete part and journal. After `publish` files with these names belong to another download, and stay."""
        with map_disk_errors(self.part):
            if is_at(self.fd, self.part):
                self._journal.remove()
                self.part.unlink()

    def close(self) -> None:
        """Unlock and close the file. The part stays if it has bytes."""
        self._executor.shutdown(wait=False)
        try:
            with suppress(OSError):
                if not os.fstat(self.fd).st_size and is_at(self.fd, self.part):
                    self._unlink_empty()
        finally:
            os.close(self.fd)

    def _unlink_empty(self) -> None:
        if self._journal.load():  # the journal of another URL cannot be loaded, and stays
            self._journal.remove()
        self.part.unlink()

    def _refuse_replaced(self) -> None:
        """Raise DiskError if another file has the name of the part: it must not be published or described."""
        with map_disk_errors(self.part):
            if not is_at(self.fd, self.part):
                raise DiskError(f"{self.part}: was removed or replaced by another program")


def _neighbours(path: Path) -> Iterator[Path]:
    """Yield the parts of downloads whose target is a file of this download, or whose files include this target."""
    for suffix in _SUFFIXES:
        yield part_of(path.with_name(f"{path.name}{suffix}"))
        if path.name.endswith(suffix) and path.name != suffix:
            yield part_of(path.with_name(path.name.removesuffix(suffix)))


def _refuse_special(path: Path) -> None:
    """Raise OSError for a directory or a special file: a rename would replace /dev/null by a plain file."""
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
        path.hardlink_to(part)  # unlike a rename, a link never replaces a file
    except FileExistsError:
        return False
    except OSError:  # the file system has no links
        if path.exists():
            return False
        part.replace(path)
        return True
    with suppress(OSError):  # the file has its name; the next run removes the other one
        part.unlink()
    return True


def _flush_directory(directory: Path) -> None:
    with suppress(OSError):  # some file systems cannot flush a directory, and do not need it
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
