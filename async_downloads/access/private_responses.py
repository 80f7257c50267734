"""The fields of responses that only some may read.

Shared caches must not keep them (RFC 9111 §5.2.2.7). A document that a browser would run is put into a sandbox: its
scripts run, but they cannot read other files with the password or the link of its reader. A response to a signed link
lets no page name its address as the Referer, and may have a name of its own.
"""

import re
from collections.abc import Awaitable, Iterable
from functools import lru_cache, partial
from typing import Final

from ..semantics.disposition import content_disposition
from ..sending import Message, Send
from .signature_parameter import PARAMETER
from .signer import Link

__all__ = ["SANDBOX", "PrivateResponse", "linked_fields", "private_fields", "runs_scripts", "send_private"]


_Field = tuple[bytes, bytes]
SANDBOX: Final = (b"content-security-policy", b"sandbox allow-scripts")
_DOCUMENTS: Final = frozenset(
    {b"text/html", b"application/xhtml+xml", b"image/svg+xml", b"text/xml", b"application/xml", b"text/xsl"}
)
_TYPES: Final = re.compile(rb"(?:^|,)\s*([^\s,;(]+)")  # without parameters
_SHARED: Final = frozenset({b"public", b"private", b"s-maxage", b"proxy-revalidate"})  # what shared caches may do
_NO_REFERRER: Final = (b"referrer-policy", b"no-referrer")
_CONTENT_STATUSES: Final = frozenset({200, 206})
_RECURRING_STATUSES: Final = frozenset({200, 304})
_MAX_RECURRING: Final = 256
_recurring: Final[dict[tuple[_Field, ...], list[_Field]]] = {}


def send_private(send: Send, message: Message) -> Awaitable[None]:
    """Pass a message of a response on; that of the head with private fields."""
    if message["type"] == "http.response.start":
        fields = tuple(message["headers"])
        private = _recurring.get(fields) or _private_fields_of(fields, message["status"])
        message["headers"] = private.copy()
    return send(message)


def _private_fields_of(fields: tuple[_Field, ...], status: int) -> list[_Field]:
    """Return the private fields, and remember them if they are those of files and settings: no client makes them long.

    A cookie is a secret, and another one in each response, so its response is not remembered.
    """
    private = private_fields(fields)
    if status in _RECURRING_STATUSES and not any(name == b"set-cookie" for name, _ in fields):
        if len(_recurring) >= _MAX_RECURRING:
            _recurring.clear()
        _recurring[fields] = private
    return private


class PrivateResponse:
    """Passes the messages of one response on. `link` and `cookie` may be set until the response starts."""

    def __init__(self, send: Send) -> None:
        self._send = partial(send_private, send)
        self.link: Link | None = None
        self.cookie: bytes | None = None

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on; that of the head with the fields of a link."""
        if message["type"] == "http.response.start" and self.link is not None:
            message["headers"] = linked_fields(message["headers"], self.link, message["status"])
            if self.cookie is not None:
                message["headers"] = _with_cookie(message["headers"], self.cookie, self.link, message["status"])
        return self._send(message)


def _with_cookie(fields: Iterable[_Field], cookie: bytes, link: Link, status: int) -> list[_Field]:
    """Return the fields of the response to a folder's link, and the cookie.

    The redirect of a subfolder to its slash keeps the signature, for clients that do not keep the cookie.
    """
    kept = [(name, _signed(value, link) if name == b"location" and status == 301 else value) for name, value in fields]
    return [*kept, (b"set-cookie", cookie)]


def _signed(location: bytes, link: Link) -> bytes:
    """Return the location with the signature, unless it may be on another host: a program may add such redirects."""
    if not location.startswith(b"./"):
        return location
    return b"%b%b%b=%b" % (location, b"&" if b"?" in location else b"?", PARAMETER.encode(), link.token.encode())


def private_fields(fields: Iterable[_Field]) -> list[_Field]:
    """Return the fields of a response that no shared cache keeps; a document without a policy is in a sandbox."""
    kept = []
    control = b""
    is_document = has_policy = False
    for field in fields:
        name, value = field
        if name == b"cache-control":
            control = control + b"," + value if control else value
            continue
        if name == b"content-type":
            is_document = runs_scripts(value)
        elif name == b"content-security-policy":
            has_policy = True
        kept.append(field)
    kept.append((b"cache-control", _private_control(control)))
    if is_document and not has_policy:
        kept.append(SANDBOX)
    return kept


@lru_cache(maxsize=256)
def _private_control(value: bytes) -> bytes:
    """Return a Cache-Control that keeps a response out of shared caches.

    >>> _private_control(b"public, max-age=60"), _private_control(b"no-cache"), _private_control(b"no-store")
    (b'private, max-age=60', b'private, no-cache', b'no-store')
    """
    if b'"' in value:
        return b"private, no-cache"
    directives = [each.strip().lower() for each in value.split(b",")]
    kept = [each for each in directives if each and each.partition(b"=")[0] not in _SHARED]
    return b", ".join(kept if b"no-store" in kept else [b"private", *kept])


@lru_cache(maxsize=256)
def runs_scripts(media_type: bytes) -> bool:
    """Return whether a browser may run scripts of a file of this type.

    Whoever uploads an object to a bucket chooses its type, and browsers also read types that are malformed:

    >>> runs_scripts(b"text/html, x/y"), runs_scripts(b"x/y,Text/HTML"), runs_scripts(b"text/html (a)")
    (True, True, True)
    """
    types = _TYPES.findall(media_type.lower())
    return any(each in _DOCUMENTS or each.endswith(b"+xml") for each in types)


def linked_fields(fields: Iterable[_Field], link: Link, status: int) -> list[_Field]:
    """Return the fields of a response to a signed link."""
    kept = [field for field in fields if field[0] != b"referrer-policy"]
    kept.append(_NO_REFERRER)
    if link.name is None or status not in _CONTENT_STATUSES:
        return kept
    old = next((value for name, value in kept if name == b"content-disposition"), b"")
    disposition = content_disposition("attachment" if old.startswith(b"attachment") else "inline", link.name)
    return [
        *(field for field in kept if field[0] != b"content-disposition"),
        (b"content-disposition", disposition.encode("latin-1")),
    ]
