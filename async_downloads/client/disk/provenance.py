"""The provenance of a complete file: its URL, and its version at this URL."""

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from ...semantics.representation import Validators
from ..decisions.version import RemoteVersion
from .journal import read_validators, read_version, version_fields
from .memory import load_provenance

__all__ = ["is_marked", "load", "mark", "save", "unmark"]


_ATTRIBUTE: Final = "user.async_downloads"
_MARK: Final = "user.async_downloads.part"  # of a part file, which may have its provenance already


def mark(fd: int) -> bool:
    """Mark an unfinished file as one of this package. Return False if the file system has no extended attributes."""
    return _set_attribute(fd, _MARK, b"1")


def unmark(fd: int) -> None:
    """Remove the mark from a complete file that has its name, because users may rename it to `NAME.part`."""
    with suppress(OSError, AttributeError):
        os.removexattr(fd, _MARK)


def is_marked(file: Path | int) -> bool:
    """Return whether a file, given by its path or descriptor, is an unfinished one of this package."""
    return _attribute(file, _MARK) is not None


def save(fd: int, url: str, version: RemoteVersion) -> bytes | None:
    """Save URL hash and version in an extended attribute. Only Linux has these, and not on every file system.

    If that is impossible, return the provenance for `memory.save_provenance`; otherwise return None.
    """
    status = os.fstat(fd)
    fields = {"url": url, **version_fields(version), "size": status.st_size, "mtime_ns": status.st_mtime_ns}
    provenance = json.dumps(fields).encode("ascii")
    return None if _set_attribute(fd, _ATTRIBUTE, provenance) else provenance


def _set_attribute(fd: int, name: str, value: bytes) -> bool:
    with suppress(OSError, AttributeError):
        os.setxattr(fd, name, value)
        return True
    return False


def load(path: Path, url: str, *, guess: bool = True) -> RemoteVersion | None:
    """Return the version of a file from the URL with this hash; None if it is missing, changed, or from another URL.

    Without extended attributes, use the entry in the user's home. If there is no entry and `guess` is True, use the
    modification time as Last-Modified, because other programs set it so. The fraction of the second is ignored, because
    Last-Modified has none.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    attribute = _attribute(path, _ATTRIBUTE) or load_provenance(path)
    if attribute is None:
        return RemoteVersion(status.st_size, Validators(None, status.st_mtime_ns // 10**9)) if guess else None
    return _read(attribute, url, status)


def _attribute(path: Path | int, name: str) -> bytes | None:
    with suppress(OSError, AttributeError):
        return os.getxattr(path, name)
    return None


def _read(attribute: bytes, url: str, status: os.stat_result) -> RemoteVersion | None:
    """Return the version in the attribute; None if the file is from another URL or was changed after the download."""
    with suppress(ValueError):
        match json.loads(attribute):
            case {"url": of, "size": status.st_size, "mtime_ns": status.st_mtime_ns, "etag": etag, "lm": lm, **more}:
                validators = read_validators(etag, lm)
                return read_version(status.st_size, validators, more.get("strong")) if of == url else None
    return None
