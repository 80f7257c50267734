"""How obstore connects to a store, and how long it tries."""

from datetime import timedelta
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import from_url

from ..object_urls import REMOTE, check_object_url
from .environment import check_environment, endpoint, endpoints
from .explanations import explained
from .keys import is_usable_key

__all__ = ["store_at"]


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
    parts = urlsplit(url)
    if parts.fragment:
        raise ValueError(f"{url!r} has a #: write %23 for it")
    prefix = unquote(parts.path).strip("/")
    if prefix and not is_usable_key(prefix):
        raise ValueError(f"{url!r} has a part between slashes that obstore cannot use, such as . or ..")
    check_environment(parts.scheme)
    options = _options(parts.scheme) if parts.scheme in REMOTE else {}
    try:
        return from_url(url.rstrip("/") if options else url, **options)
    except BaseError as error:
        raise ValueError(f"{url}: {explained(str(error))}") from error


def _options(scheme: str) -> dict[str, Any]:
    """Return options with the endpoint of S3. If several variables name one, obstore would choose any of them."""
    is_plain = any(value.startswith("http://") for _, value in endpoints(scheme))
    options = {"client_options": {**_CLIENT, "allow_http": is_plain}, "retry_config": _RETRIES}
    named = endpoint("s3") if scheme == "s3" else None
    return {**options, "endpoint": named} if named else options
