"""The lock on a part: who has it may write there, and nobody else."""

import errno
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from ...errors import TargetBusy

__all__ = ["is_at", "locked", "refuse_locked", "unlink_alias"]


_OPEN: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MODE: Final = 0o666  # what the umask leaves of it
_LOCKLESS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})  # some network file systems


def locked(part: Path) -> int:
    """Open a part and lock it; make another one when it is, or has become, a file that is whole.

    TargetBusy when somebody else has it, OSError when it cannot be had.
    """
    while True:
        fd = os.open(part, _OPEN | os.O_CREAT, _MODE)
        try:
            _lock(fd, part)
            if is_at(fd, part):
                if os.fstat(fd).st_nlink == 1:
                    return fd
                part.unlink()  # it has a name already: somebody was killed in the middle of giving it that
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def refuse_locked(part: Path) -> None:
    """TargetBusy when somebody has a part, if there is one."""
    with suppress(OSError):
        fd = os.open(part, _OPEN)
        try:
            _lock(fd, part)
        finally:
            os.close(fd)


def unlink_alias(part: Path, path: Path) -> None:
    """Remove a part that is the file at a path, unless somebody has it: who does is about to remove it."""
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
    """Whether an open file has this name."""
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
