"""Cookies. The jar serves all origins by the rules of each cookie; the caller's field is only for the first origin."""

import re
import time
import urllib.request
from collections.abc import Iterable, Iterator
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Final

import httpx

__all__ = ["cookie_field", "empty_jar", "read_cookies"]


_HTTP_ONLY: Final = "#HttpOnly_"  # precedes the domain of a cookie that scripts may not read
_SECONDS: Final = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]*)?")  # browser extensions write fractions
_COLUMNS: Final = 7  # domain, "also for subdomains", path, "only for https", expiry, name, value


def cookie_field(jar: httpx.Cookies, url: httpx.URL, own: str | None = None) -> str | None:
    """Return the Cookie field for a URL (RFC 6265 §5.4); None if there is no cookie for it.

    `own` is the caller's field, or None for other origins than the first. A cookie that the server has set replaces the
    caller's cookie of the same name. Cookies in the jar without a domain are only for the first origin.
    """
    if not jar:
        return own or None
    request = httpx.Request("GET", url)
    served = httpx.Cookies()
    for cookie in jar.jar:
        if _may_go_to(cookie, url.host) if cookie.domain else own is not None:
            served.jar.set_cookie(cookie)
    served.set_cookie_header(request)
    field = request.headers.get("cookie")
    if not own or not field:
        return field or own or None
    names = set(_names(field))
    kept = [pair for pair in own.split(";") if next(_names(pair), "") not in names]
    return ";".join([*kept, f" {field}"]).strip()


def _may_go_to(cookie: Cookie, host: str) -> bool:
    """Return whether a cookie is for this host. A cookie without a domain is only for its own host (RFC 6265 §5.4).

    `http.cookiejar` would send it to subdomains too. It also adds ".local" to a host without a dot.
    """
    return cookie.domain_specified or cookie.domain in {host, f"{host}.local", f"[{host}].local"}


def _names(field: str) -> Iterator[str]:
    for pair in field.split(";"):
        yield pair.partition("=")[0].strip()


class _AsciiCookies(DefaultCookiePolicy):
    """Refuses cookies that are not ASCII: RFC 6265 §4.1.1 forbids them, and httpx would fail at the next request."""

    def set_ok(self, cookie: Cookie, request: urllib.request.Request) -> bool:
        return _is_ascii(cookie) and super().set_ok(cookie, request)


def _is_ascii(cookie: Cookie) -> bool:
    return f"{cookie.name}{cookie.value}".isascii()


def empty_jar() -> CookieJar:
    """Return an empty jar for the cookies of a client."""
    return CookieJar(_AsciiCookies())


def read_cookies(path: Path) -> CookieJar:
    """Read a file of cookies in the Netscape format, which browsers export and curl writes.

    Raises ValueError if the file cannot be read or has a line of another format.
    """
    jar = empty_jar()
    try:
        lines = path.read_text("utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise ValueError(f"cannot read the cookies, {path}: {error.strerror}") from error
    for cookie in _cookies(lines, path):
        jar.set_cookie(cookie)
    return jar


def _cookies(lines: Iterable[str], path: Path) -> Iterator[Cookie]:
    for number, line in enumerate(lines, 1):
        text = line.removeprefix(_HTTP_ONLY)
        if not text.strip() or text.startswith("#"):
            continue
        columns = text.split("\t")
        if len(columns) == _COLUMNS - 1:
            columns.append("")  # curl leaves out an empty value
        if len(columns) != _COLUMNS or not _SECONDS.fullmatch(columns[4].strip()):
            raise ValueError(f"line {number} of {path} is not a cookie: it needs {_COLUMNS} columns between tabs")
        cookie = _cookie(columns)
        if _is_ascii(cookie) and not cookie.is_expired(int(time.time())):
            yield cookie


def _cookie(columns: list[str]) -> Cookie:
    domain, subdomains, path, secure, expires, name, value = (column.strip() for column in columns)
    wide = subdomains.upper() == "TRUE"
    seconds = int(float(expires)) or None  # 0 marks a session cookie
    bare = domain.lstrip(".")
    return Cookie(
        version=0,
        name=name,
        value=value,
        port=None,
        port_specified=False,
        domain=f".{bare}" if wide else bare if "." in bare else f"{bare}.local",
        domain_specified=wide,
        domain_initial_dot=wide,
        path=path or "/",
        path_specified=True,
        secure=secure.upper() == "TRUE",
        expires=seconds,
        discard=seconds is None,
        comment=None,
        comment_url=None,
        rest={},
    )
