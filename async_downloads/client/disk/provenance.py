"""What is known of a file that is whole: where it came from, and which version it is."""

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from ...semantics.dates import format_date, parse_date
from ...semantics.etags import ETag
from ...semantics.representation import Validators
from ..decisions.version import RemoteVersion
from .journal import strong

__all__ = ["load", "save"]


_ATTRIBUTE: Final = "user.async_downloads"


def save(fd: int, url: str, version: RemoteVersion) -> None:
    """Note the version at a file, as an extended attribute; only Linux has those, and not for every file system."""
    validators, status = version.validators, os.fstat(fd)
    known = {
        "url": url,
        "etag": str(validators.etag) if validators.etag else None,
        "lm": None if validators.last_modified is None else format_date(validators.last_modified),
        "strong": version.if_range,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
    }
    with suppress(OSError, AttributeError):
        os.setxattr(fd, _ATTRIBUTE, json.dumps(known).encode("ascii"))


def load(path: Path, url: str, *, guess: bool = True) -> RemoteVersion | None:
    """Return which version of the URL, whose hash is given, a file is; None when there is none.

    With `guess`, and without the attribute, its time is taken for the Last-Modified that other programs leave, too; of
    a copy the fraction of a second, which a server does not tell, may be there as well.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    noted = _noted(path)
    if noted is None:
        return RemoteVersion(status.st_size, Validators(None, status.st_mtime_ns // 10**9)) if guess else None
    return _read(noted, url, status)


def _noted(path: Path) -> bytes | None:
    with suppress(OSError, AttributeError):
        return os.getxattr(path, _ATTRIBUTE)
    return None


def _read(noted: bytes, url: str, status: os.stat_result) -> RemoteVersion | None:
    """Read the attribute; None when the file is of another URL, or was changed since."""
    with suppress(ValueError):
        match json.loads(noted):
            case {"url": of, "size": status.st_size, "mtime_ns": status.st_mtime_ns, "etag": etag, "lm": lm, **more}:
                validators = Validators(
                    ETag.parse(etag) if isinstance(etag, str) else None,
                    parse_date(lm, now=0) if isinstance(lm, str) else None,
                )
                if_range = strong(validators) if more.get("strong") == strong(validators) else None
                return RemoteVersion(status.st_size, validators, if_range) if of == url else None
    return None
