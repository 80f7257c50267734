"""The lock on a part file: only the process that holds it may write to the file."""

import errno
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from ...errors import TargetBusy
from ...open_file import OPEN_SAFELY

__all__ = ["is_at", "open_locked", "refuse_locked", "unlink_alias"]


_OPEN: Final = os.O_RDWR | os.O_NOFOLLOW | OPEN_SAFELY
_MODE: Final = 0o666  # before the umask
_LOCKLESS: Final = frozenset(
    {errno.ENOLCK, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}
)  # of some network file systems


def open_locked(part: Path) -> int:
    """Open and lock a part file. Create it if it does not exist. Return its descriptor.

    Raises TargetBusy if another download has locked it, OSError if it cannot be opened.
    """
    while True:
        fd = os.open(part, _OPEN | os.O_CREAT, _MODE)
        try:
            _lock(fd, part)
            if is_at(fd, part):  # otherwise another download has just published or deleted the part: try again
                if os.fstat(fd).st_nlink == 1:
                    return fd
                part.unlink()  # a killed process has published the file but not removed this name
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def refuse_locked(part: Path) -> None:
    """Raise TargetBusy if a download has locked this part file."""
    with suppress(OSError):
        fd = os.open(part, _OPEN)
        try:
            _lock(fd, part)
        finally:
            os.close(fd)


def unlink_alias(part: Path, path: Path) -> None:
    """Delete the name of a part that is the same file as `path`, unless a running download will do that."""
    with suppress(OSError, TargetBusy):
        if not part.samefile(path):
            return
        fd = os.open(part, _OPEN)
        try:
            _lock(fd, part)
            if is_at(fd, part) and is_at(fd, path):
                part.unlink()
        finally:
            os.close(fd)


def is_at(fd: int, path: Path) -> bool:
    """Return whether the open file is the file at this path."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


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
