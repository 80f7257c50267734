"""Where a path leads: through links, as curl and wget write, and never to what only looks like a file."""

import errno
import os
from pathlib import Path
from typing import Final

__all__ = ["followed"]

_LINKS: Final = 40  # one after the other; Linux follows no more
_SYSTEM: Final = ("/dev", "/proc")
_MEMORY: Final = "/dev/shm"  # noqa: S108  # it holds files like any other folder


def followed(path: Path) -> Path:
    """Return the file that a path leads to, whether it is there or not. OSError when that cannot be a file.

    Every link on the way is looked at, for /dev/stdout may lead through /proc to a file that somebody writes to.
    """
    for _ in range(_LINKS):
        _refuse_system(path)
        if not path.is_symlink():
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _refuse_system(path: Path) -> None:
    """Refuse what is the system's: another file in its place would be the end of it."""
    folder = Path(os.path.realpath(path.parent))
    if any(map(folder.is_relative_to, _SYSTEM)) and not folder.is_relative_to(_MEMORY):
        raise OSError(errno.EINVAL, "not a regular file")
