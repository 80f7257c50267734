"""How obstore reaches a store, and how long it tries."""

import os
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import from_url

from ..object_urls import REMOTE, check_object_url
from . import s3_signing

__all__ = ["store_at"]


_ENDPOINTS: Final = (*s3_signing.ENDPOINTS, "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
# `timeout` covers the body, and a stream has the pace of a client. `read_timeout` finds a store that stalls.
_CLIENT: Final = {"timeout": "1 day", "connect_timeout": "5 s", "read_timeout": "30 s"}
_RETRIES: Final = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=2), "base": 2},
}


def store_at(url: str) -> Any:
    """Return the obstore store for a URL; nothing is sent yet. Raises ValueError, with one line that says why."""
    check_object_url(url)
    options = _options() if urlsplit(url).scheme in REMOTE else {}
    try:
        return from_url(url.rstrip("/") if options else url, **options)
    except BaseError as error:
        raise ValueError(f"{url}: {str(error).partition(chr(10))[0]}") from error


def _options() -> dict[str, Any]:
    is_plain = any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS)
    return {"client_options": {**_CLIENT, "allow_http": is_plain}, "retry_config": _RETRIES}
