"""A cookie that opens the rest of a signed folder: the links of its pages have no signature of their own.

The cookie is the signature of the folder's link. Browsers send it only for paths below the folder, and scripts cannot
read it.
"""

import os
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from ..sending import Scope
from .signer import Link

__all__ = ["cookie_of", "tokens_in"]


_NAME: Final = "async_downloads_link"
_PREFIX: Final = f"{_NAME}=".encode()
_MAX_TOKENS: Final = 8  # of folders that lie in each other


def cookie_of(link: Link, scope: Scope) -> bytes | None:
    """Return the cookie for the folder of a link; None if the link is not for a folder."""
    if link.folder is None:
        return None
    age = max(1, link.expires - int(time.time()))
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    path = _raw_folder(link.folder, scope)
    return f"{_NAME}={link.token}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Lax{secure}".encode("latin-1")


def _raw_folder(folder: str, scope: Scope) -> str:
    """Return the folder's path with the percent signs that the browser has sent, since it compares paths as text."""
    raw = (scope.get("raw_path") or b"").partition(b"?")[0].decode("latin-1")
    start = "/".join(raw.split("/")[: folder.count("/")]) + "/"
    return start if _decoded(start) == folder and ";" not in start else quote(folder, errors="surrogateescape")


def _decoded(path: str) -> str:
    return os.fsdecode(unquote_to_bytes(path))


def tokens_in(scope: Scope) -> Iterator[bytes]:
    """Yield the signatures of folders in the cookies of a request."""
    found = 0
    for name, value in scope["headers"]:
        if name != b"cookie":
            continue
        for pair in value.split(b";"):
            pair = pair.strip()
            if pair.startswith(_PREFIX) and found < _MAX_TOKENS:
                found += 1
                yield pair.removeprefix(_PREFIX)
