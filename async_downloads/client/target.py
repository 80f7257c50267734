"""The file that a download goes to: `NAME.part` until it is whole, then `NAME`, with `NAME.part.json` beside it.

The part is locked, so that two processes cannot write to it. Its bytes come in any order, each to its place. Every
function but `write` waits for the disk, so it is called in a thread.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import aiofiles.os

from ..errors import DiskError, TargetBusy
from ..fileio import write_all
from .finished import remember
from .identity import Version
from .journal import SUFFIX, Journal, Record

__all__ = ["Target", "disk_errors", "journal_of", "part_of", "tidy"]

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MODE: Final = 0o666  # what the umask leaves of it
_LOCKLESS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})  # some network file systems

_write_all = aiofiles.os.wrap(write_all)


def part_of(path: Path) -> Path:
    """Return the name that a file has while it is not whole."""
    return path.parent / f"{path.name}.part"


def journal_of(path: Path) -> Path:
    """Return the name of the journal that a file has while it is not whole."""
    return path.parent / f"{path.name}{SUFFIX}"


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Raise DiskError for what the system says about a file, with the name of the file."""
    try:
        yield
    except OSError as error:
        raise DiskError(f"{path}: {error.strerror or error}") from error


class Target:
    """A file to be, open and locked. TargetBusy when somebody else has it, DiskError when it cannot be had.

    `url` is the hash of the URL it comes from.
    """

    def __init__(self, path: Path, url: str) -> None:
        with disk_errors(path):
            _refuse_unusual(path)
        self.path = path
        self.part = part_of(path)
        self._url = url
        self._journal = Journal(journal_of(path), url)
        with disk_errors(self.part):
            self._journal.check()
            self.fd = _locked(self.part)
        # One thread for all connections: several would fight for the interpreter, with each other and with the loop.
        self._writing = ThreadPoolExecutor(1)

    def resume(self) -> Record | None:
        """Return what the part holds; None, and an empty part, when that is nothing of use."""
        record = self._journal.load()
        if record and os.fstat(self.fd).st_size >= record.held.end > 0:
            return record
        self.clear()
        return None

    def clear(self) -> None:
        """Forget what there is, also should the power go: a journal must not outlive the bytes it tells of."""
        with disk_errors(self.part):
            if self._journal.remove():
                _flush_directory(self.part.parent)
            os.ftruncate(self.fd, 0)

    def reserve(self, size: int) -> None:
        """DiskError when the disk has no room for so many bytes more."""
        with disk_errors(self.part):
            disk = os.fstatvfs(self.fd)
        free = disk.f_bavail * disk.f_frsize
        if disk.f_blocks and size > free:
            raise DiskError(f"{self.part}: {size:,} bytes are to come, and there is room for {free:,}")

    async def write(self, buffers: Sequence[bytes], offset: int) -> None:
        """Write at a place, in a thread; the bytes are in the file when it returns."""
        with disk_errors(self.part):
            await _write_all(self.fd, buffers, offset, executor=self._writing)

    def flush(self) -> None:
        """Return when the disk has what was written."""
        with disk_errors(self.part):
            os.fdatasync(self.fd)

    def save(self, record: Record) -> None:
        """Write down what is held."""
        with disk_errors(self._journal.path):
            self._journal.save(record)

    def truncate(self, size: int) -> None:
        """Give up what is after so many bytes."""
        with disk_errors(self.part):
            os.ftruncate(self.fd, size)

    def complete(self, version: Version) -> None:
        """Give the whole file its size and the time of its version, and have the disk take it all."""
        modified = version.validators.last_modified
        with disk_errors(self.part):
            os.ftruncate(self.fd, version.total or 0)
            if modified is not None:
                os.utime(self.fd, (modified, modified))
            remember(self.fd, self._url, version)
            os.fsync(self.fd)

    def place(self, path: Path, *, replace: bool) -> bool:
        """Give the file its name; False when that is taken and not to be replaced."""
        with disk_errors(path):
            if not _rename(self.part, path, replace=replace):
                return False
        with suppress(OSError):  # the file is there, whatever is the matter with its journal
            self._journal.remove()
        _flush_directory(path.parent)
        return True

    def discard(self) -> None:
        """Delete what there is, unless it has its name already."""
        with disk_errors(self.part):
            self._journal.remove()
            if _is_at(self.fd, self.part):
                self.part.unlink()

    def close(self) -> None:
        """Let somebody else have it. What was written and saved stays."""
        self._writing.shutdown(wait=False)
        os.close(self.fd)


def tidy(path: Path) -> None:
    """Remove the part that is the whole file: somebody was killed in the middle of giving it its name."""
    with suppress(OSError):
        if part_of(path).samefile(path):
            part_of(path).unlink()


def _refuse_unusual(path: Path) -> None:
    """Refuse a folder, and what only looks like a file: to rename over /dev/null would be the end of it."""
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file")


def _locked(part: Path) -> int:
    """Open the part and lock it; make another one when it is, or has become, a file that is whole."""
    while True:
        fd = os.open(part, _FLAGS, _MODE)
        try:
            _lock(fd, part)
            if _is_at(fd, part):
                if os.fstat(fd).st_nlink == 1:
                    return fd
                part.unlink()  # it has a name already: somebody was killed in the middle of `_rename`
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _lock(fd: int, part: Path) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise TargetBusy(f"{part}: another download to it is running") from None
    except OSError as error:
        if error.errno not in _LOCKLESS:
            raise


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


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
    part.unlink(missing_ok=True)
    return True


def _flush_directory(directory: Path) -> None:
    with suppress(OSError):  # some file systems cannot, and have no need to
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
