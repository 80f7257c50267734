"""The URLs of object stores."""

import re
from importlib.util import find_spec
from typing import Final
from urllib.parse import unquote

from ..extras import how_to_install

__all__ = ["REDIRECT_NEEDS", "REMOTE", "check_blobs_url", "check_object_url", "is_object_url", "path_of"]


REDIRECT_NEEDS: Final = "s3://… and the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
REMOTE: Final = ("s3", "gs", "az")
_SCHEMES: Final = tuple(f"{scheme}://" for scheme in (*REMOTE, "memory"))
_FILE: Final = "file://"
_BUCKET: Final = re.compile(r"[A-Za-z0-9._$-]+")  # Azure has a container `$web`


def is_object_url(text: str) -> bool:
    """Return whether a text is the URL of an object store: `s3://…`, `gs://…`, `az://…` or `memory://…`."""
    return text.startswith(_SCHEMES)


def path_of(text: str) -> str | None:
    """Return the path that a URL `file:///path` names; None for any other text."""
    return unquote(text.removeprefix(_FILE)) if text.startswith(f"{_FILE}/") else None


def check_object_url(url: str) -> None:
    """Raise ValueError, with one line that says what to do, if a URL is not the URL of an object store."""
    if not is_object_url(url):
        raise ValueError(f"{url!r} is not the URL of an object store: expected s3://bucket/prefix, gs://… or az://…")
    scheme, _, place = url.partition("://")
    bucket = place.partition("/")[0]
    if "@" in bucket or "?" in url:
        raise ValueError("the URL of an object store has no password and no options: set environment variables instead")
    if scheme in REMOTE and not _BUCKET.fullmatch(bucket):
        raise ValueError(f"{url!r} names no bucket: expected {scheme}://bucket/prefix")
    _check_obstore()


def check_blobs_url(url: str) -> None:
    """Raise ValueError as `check_object_url` does, if a database cannot store its bytes at this URL."""
    if path_of(url):
        _check_obstore()
    elif is_object_url(url) and not url.startswith("memory:"):
        check_object_url(url)
    else:
        raise ValueError(f"{url!r} cannot store bytes: expected s3://bucket/prefix, gs://…, az://… or file:///path")


def _check_obstore() -> None:
    if not find_spec("obstore"):
        raise ValueError(f"object stores need obstore: {how_to_install('s3')}")
