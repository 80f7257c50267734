"""The target of a redirect, from Location fields as servers really send them."""

import re
from typing import Final

import httpx

from ...errors import RefusedRedirect

__all__ = ["MAX_PORT", "MAX_REDIRECTS", "escaped_url", "is_redirect", "is_requestable", "redirect_target"]


MAX_REDIRECTS: Final = 20  # as in browsers
MAX_PORT: Final = 65535
_UNSAFE: Final = re.compile(rb"[^\x21-\x7e]")


def escaped_url(url: str) -> str:
    """Percent-encode the bytes of a URL from the command line that the locale cannot decode."""
    return re.sub("[\udc80-\udcff]", lambda found: f"%{ord(found[0]) - 0xDC00:02X}", url)


def is_requestable(url: httpx.URL) -> bool:
    """Return whether a URL is http or https and has a valid host and port. A port above 65535 would wrap around.

    httpx percent-encodes characters that no host can have, such as spaces. "%" before the zone of an address is valid.
    """
    host = url.host
    is_host = bool(host) and ("%" not in host or ":" in host)
    return url.scheme in {"http", "https"} and is_host and (url.port is None or 0 < url.port <= MAX_PORT)


def is_redirect(response: httpx.Response) -> bool:
    """Return whether a response redirects. A 300 with a Location field also does (RFC 9110 §15.4.1)."""
    return response.has_redirect_location or (response.status_code == 300 and "location" in response.headers)


def redirect_target(response: httpx.Response, *, insecure: bool) -> httpx.URL:
    """Return the URL to which a response redirects. Raises RefusedRedirect if it must not be requested.

    With `insecure`, https may lead to http.
    """
    try:
        url = response.url.join(_location(response))
    except httpx.InvalidURL as error:
        raise RefusedRedirect(f"the redirect leads to an invalid URL: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise RefusedRedirect("the redirect leads to a URL that is not http or https")
    if not is_requestable(url):
        raise RefusedRedirect("the redirect leads to an invalid URL")
    if (response.url.scheme, url.scheme) == ("https", "http") and not insecure:
        raise RefusedRedirect(f"the redirect leads from https to http, to {url.host}")
    return url


def _location(response: httpx.Response) -> str:
    """Return the first Location field. Bytes that are not UTF-8 are percent-encoded one by one, as browsers do."""
    raw = next(value for name, value in response.headers.raw if name.lower() == b"location")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], raw).decode("ascii")
