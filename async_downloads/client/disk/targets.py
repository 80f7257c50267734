"""Which paths a download may write to: no device, no pipe, and no link that another user may have put there."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ...errors import DiskError

__all__ = ["is_disk_full", "is_planted", "map_disk_errors", "refuse_planted", "refuse_special", "resolve_links"]


_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_MAX_LINKS: Final = 40  # links in a chain, as in Linux
_SYSTEM_DIRECTORIES: Final = ("/dev", "/proc")
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108  # below /dev, but with ordinary files
_NOT_REGULAR: Final = "not a regular file (-o - writes to standard output)"


@contextmanager
def map_disk_errors(path: Path) -> Iterator[None]:
    """Raise DiskError with the path for an OSError."""
    try:
        yield
    except OSError as error:
        raise DiskError(f"{path}: {error.strerror or error}") from error


def is_disk_full(error: DiskError) -> bool:
    """Return whether the disk, or the user's share of it, has no space left."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _DISK_FULL


def resolve_links(path: Path) -> Path:
    """Return the path to which a chain of symbolic links leads. The file need not exist.

    Every link of the chain is checked: /dev/stdout may lead through /proc to a file that another program writes.

    Raises OSError if the chain is too long, leads into /dev or /proc, or has a link that `refuse_planted` refuses.
    """
    for _ in range(_MAX_LINKS):
        _refuse_system(path)
        if not path.is_symlink():
            return path
        refuse_planted(path)
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _refuse_system(path: Path) -> None:
    """Raise OSError for a path in /dev or /proc, because a download would replace a device."""
    directory = Path(os.path.realpath(path.parent))
    if any(map(directory.is_relative_to, _SYSTEM_DIRECTORIES)) and not directory.is_relative_to(_SHARED_MEMORY):
        raise OSError(errno.EINVAL, _NOT_REGULAR)


def refuse_planted(path: Path) -> None:
    """Raise OSError if another user put this link or file into a directory such as /tmp, where every user may write.

    Linux has this rule for links that it follows (proc(5), `protected_symlinks`), and for files that it opens to write
    (`protected_regular`). This package reads the links itself, so the rule of the system does not protect it.
    """
    if is_planted(path):
        raise OSError(errno.EACCES, "another user has put it into a folder where others may write")


def is_planted(path: Path) -> bool:
    """Return whether another user put this link or file into a directory where several users may write."""
    try:
        owner, directory = path.lstat().st_uid, path.parent.stat()
    except FileNotFoundError:
        return False
    shared = directory.st_mode & stat.S_ISVTX and directory.st_mode & (stat.S_IWOTH | stat.S_IWGRP)
    return bool(shared) and owner not in {os.geteuid(), directory.st_uid}


def refuse_special(path: Path) -> None:
    """Raise OSError for a directory or a special file. Otherwise a rename could replace /dev/null with a file."""
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, _NOT_REGULAR)
