"""SHA-256 digests that were stored for a file `x`: in `x.sha256`, or in the extended attribute `user.sha256` of `x`."""

import os
import re
import stat
from typing import Final

from ..open_file import OPEN_SAFELY

__all__ = ["stated_digest"]


_SUFFIX: Final = ".sha256"
_ATTRIBUTE: Final = "user.sha256"
_MAX_BYTES: Final = 8192  # more than a path and a digest need
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{64}")
# The line of `sha256sum x`: an asterisk marks binary mode, and a backslash before it marks escapes in the name.
_LINE: Final = re.compile(rb"\\?(?P<hex>[0-9A-Fa-f]{64})(?: [ *](?P<name>.+?))?\r?")
_FLAGS: Final = os.O_RDONLY | OPEN_SAFELY | getattr(os, "O_NOFOLLOW", 0)


def stated_digest(path: str, fd: int, status: os.stat_result) -> bytes | None:
    """Return the digest that is stated for the open file at `path`; None if there is none, or if it is too old.

    `x.sha256` is too old if the bytes, the times or the owner of `x` were changed after it was written, because `cp -p`
    and `rsync -t` can give new bytes an old date. The attribute is too old if the last change of the file was a write:
    setting the attribute changes only the change time. Call this in a thread. It never raises OSError.
    """
    try:
        return _in_file(path, status)
    except OSError:
        pass
    try:
        return _in_attribute(fd, status)
    except OSError:
        return None


def _in_file(path: str, status: os.stat_result) -> bytes | None:
    """Return the digest in `x.sha256`. Raises OSError if there is no such file."""
    fd = os.open(path + _SUFFIX, _FLAGS)
    try:
        found = os.fstat(fd)
        is_newer = found.st_mtime_ns >= status.st_mtime_ns and found.st_ctime_ns >= status.st_ctime_ns
        if not stat.S_ISREG(found.st_mode) or not is_newer or found.st_size > _MAX_BYTES:
            return None
        content = os.pread(fd, _MAX_BYTES, 0)
    finally:
        os.close(fd)
    line = _LINE.fullmatch(content.removesuffix(b"\n"))
    if line is None or (line["name"] and os.path.basename(line["name"]) != os.fsencode(os.path.basename(path))):
        return None
    return bytes.fromhex(line["hex"].decode())


def _in_attribute(fd: int, status: os.stat_result) -> bytes | None:
    """Return the digest in the attribute. Raises OSError if there is none."""
    if not hasattr(os, "getxattr") or status.st_ctime_ns <= status.st_mtime_ns:
        return None
    value = os.getxattr(fd, _ATTRIBUTE).strip()
    return bytes.fromhex(value.decode()) if _HEX.fullmatch(value) else None
