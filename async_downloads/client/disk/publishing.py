"""Give a complete part file its final name and permissions."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["give_name", "keep_mode"]


_PERMISSIONS: Final = 0o777  # without set-user-ID, which was meant for the old content


def keep_mode(fd: int, path: Path) -> None:
    """Give the new file the permissions of the file that it replaces, and its owner if this process may do that."""
    with suppress(OSError):  # there is no old file
        new, old = os.fstat(fd), path.lstat()
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            with suppress(OSError):
                os.fchown(fd, old.st_uid, old.st_gid)
        os.fchmod(fd, old.st_mode & _PERMISSIONS)


def give_name(part: Path, path: Path, *, replace: bool) -> bool:
    """Rename a part file. Return False if the name is taken and `replace` is False. Raises OSError."""
    if replace:
        part.replace(path)
        return True
    try:
        path.hardlink_to(part)  # unlike a rename, a link never replaces a file
    except FileExistsError:
        return False
    except OSError:  # the file system has no hard links
        if path.exists():
            return False
        part.replace(path)
        return True
    with suppress(OSError):  # the file has its name; the next run deletes the name of the part
        part.unlink()
    return True
