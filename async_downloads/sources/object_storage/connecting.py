"""How obstore connects to a store, and how long it tries."""

import os
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import from_url

from ..object_urls import REMOTE, check_object_url
from .credentials import missing_credentials
from .s3_signing import s3_endpoint

__all__ = ["store_at"]


_AZURE_ENDPOINTS: Final = ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
# `timeout` includes the body, and a stream may be as slow as its client. `read_timeout` detects a store that stalls.
# Idle connections count, too: a request that finds none makes one, even if another request ends in the same moment.
_CLIENT: Final = {
    "timeout": "1 day",
    "connect_timeout": "5 s",
    "read_timeout": "30 s",
    "pool_max_idle_per_host": "8",
}
_RETRIES: Final = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=2), "base": 2},
}


def store_at(url: str) -> Any:
    """Return the obstore store for a URL. Nothing is sent yet. Raises ValueError, with one line that says why."""
    check_object_url(url)
    scheme = urlsplit(url).scheme
    options = _options(scheme) if scheme in REMOTE else {}
    try:
        return from_url(url.rstrip("/") if options else url, **options)
    except BaseError as error:
        line = str(error).partition("\n")[0]
        raise ValueError(f"{url}: {missing_credentials(line) or line}") from error


def _options(scheme: str) -> dict[str, Any]:
    """Return options with the endpoint of S3. If several variables name one, obstore would choose any of them."""
    endpoint = s3_endpoint() if scheme == "s3" else None
    named = [endpoint] if scheme == "s3" else map(os.environ.get, _AZURE_ENDPOINTS)
    is_plain = any(each.startswith("http://") for each in named if each)
    options = {"client_options": {**_CLIENT, "allow_http": is_plain}, "retry_config": _RETRIES}
    return {**options, "endpoint": endpoint} if endpoint else options
