"""Signed links: URLs that work without a password until they expire.

    https://host/path?query&signature=BODY.SIGNATURE

The body has the time of expiry and, if they are given, the folder, the client's address and the name for saving. The
signature (HMAC with SHA-256, made by itsdangerous) covers the body. If the link is for one file or one archive, it also
covers the path and the rest of the query. Scheme, host and port are not covered: a server may have several of them.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes, urlsplit, urlunsplit

import itsdangerous
from itsdangerous.encoding import base64_decode, base64_encode

from ..client_address import plain_address, plain_network
from ..errors import Forbidden, LinkExpired
from ..request_target import in_normal_form, key_of, normalized
from ..sending import Scope
from .signature_parameter import PARAMETER, split_query

__all__ = ["Expiry", "Link", "Signer", "full_path", "secrets_of", "sign_url"]


Expiry = timedelta | datetime | float
Secret = str | bytes
_MIN_SECRET: Final = 16  # characters; a client that has a link could guess a shorter one without the server
_LAST_MOMENT: Final = 253_402_300_799  # the end of the year 9999
_MAX_TOKEN: Final = 8192  # bytes
# Decoders of base64 ignore what follows "=", so anyone with a link could append attributes of its cookie.
_TOKEN: Final = re.compile(rb"[xf][A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")  # a byte of an argument that is not UTF-8
_PATH_CHARACTERS: Final = "/%:@!$&'()*+,;=~"  # they stay as they are; "%" because the path may be encoded already
_QUERY_CHARACTERS: Final = f"{_PATH_CHARACTERS}?"


@dataclass(frozen=True, slots=True)
class Link:
    """What a signed link allows.

    `expires` is in seconds since 1970. `folder` ends with a slash; the link is for everything below it. `address` is
    the network that the client must be in. `name` is the name under which the file is saved. `token` is the signature
    as it stands in the URL.
    """

    expires: int
    folder: str | None = None
    address: str | None = None
    name: str | None = None
    token: str = ""


class Signer:
    """Makes signed links and checks them.

    The first secret signs; links that any of the secrets signed are valid. So a secret can be replaced: put the new one
    first, and remove the old one when its links have expired. Raises ValueError if a secret has fewer than 16
    characters or bytes. Servers behind one address need the same secrets.
    """

    def __init__(self, secrets: Secret | Sequence[Secret]) -> None:
        given = [secrets] if isinstance(secrets, (str, bytes)) else list(secrets or ())
        if not given or any(len(key) < _MIN_SECRET for key in given):
            raise ValueError(f"a secret that signs links needs {_MIN_SECRET} characters or more")
        keys = [key.encode() if isinstance(key, str) else key for key in given]
        # The last key signs.
        self._signer = itsdangerous.Signer(
            keys[::-1], salt="async_downloads link", key_derivation="hmac", digest_method=hashlib.sha256
        )

    def sign(self, url: str, *, expires: Expiry, address: str | None = None, name: str | None = None) -> str:
        """Return a URL, or a path with its query, with a signature.

        `/folder/*` is for the folder and everything below it; any other path is for exactly this path and query.
        `expires` is a time, a duration, or a number of seconds from now; a time without a time zone is local. Only a
        client at `address`, which may be a network such as 192.0.2.0/24, can use the link. `name` is the name under
        which the file is saved.

        Raises ValueError if the URL, the time or the address cannot be used. A path with `..` is refused: a name that a
        client gave to your app could otherwise make a link to another folder.
        """
        parts = urlsplit(url)
        _check(url, parts.netloc, parts.fragment, parts.query)
        path, query = quote(parts.path or "/", safe=_PATH_CHARACTERS), quote(parts.query, safe=_QUERY_CHARACTERS)
        is_folder = path.endswith("/*")
        path = path.removesuffix("*") if is_folder else path
        if not is_folder and path.endswith("/") and not query:
            raise ValueError(
                f"{path}* is for the folder and all below it, and {path}?zip for an archive of it: say which"
            )
        if name == "":
            raise ValueError("the name for saving is empty")
        if is_folder and name is not None:
            raise ValueError("a folder is not saved under a name: only a file or an archive is")
        plain = _path_of(path)
        if plain != _decoded(path):
            path = quote(plain, errors="surrogateescape")
        link = Link(_moment_of(expires), plain if is_folder else None, _network(address), name)
        token = self._token(link, plain, query)
        signed = "&".join(filter(None, (query, f"{PARAMETER}={token}")))
        return urlunsplit((parts.scheme, parts.netloc, path, signed, ""))

    def _token(self, link: Link, path: str, query: str) -> str:
        values = {"e": link.expires, "f": link.folder, "a": link.address, "n": link.name}
        packed = json.dumps({key: value for key, value in values.items() if value is not None}, separators=(",", ":"))
        body = f"{'x' if link.folder is None else 'f'}{base64_encode(packed).decode('ascii')}"
        return f"{body}.{self._signer.get_signature(_covered(body, path, query)).decode('ascii')}"

    def verify(self, path: str, query: bytes, address: str | None) -> Link:
        """Return what the signature in a query allows for a path, which is decoded and normalized.

        `address` is the client's; None if it is not known. Raises Forbidden if the query has no signature, or one that
        is not for this request, and LinkExpired if the link has expired.
        """
        tokens, rest = split_query(query)
        if len(tokens) != 1:
            raise Forbidden(f"the link has {'no' if not tokens else 'more than one'} signature")
        return self.verify_token(tokens[0], path, rest, address)

    def verify_token(self, token: bytes, path: str, query: bytes, address: str | None) -> Link:
        """Return what a token allows, as `verify` does; `query` is the rest of it."""
        body, _, signature = token.decode("latin-1").partition(".")
        covered = _covered(body, path, query.decode("latin-1"))
        is_token = len(token) <= _MAX_TOKEN and _TOKEN.fullmatch(token)
        if not is_token or not self._signer.verify_signature(covered, signature):
            raise Forbidden("the signature does not fit")
        values: Mapping[str, Any] = json.loads(base64_decode(body[1:]))  # we have written it
        link = Link(values["e"], values.get("f"), values.get("a"), values.get("n"), token.decode("latin-1"))
        if link.folder is not None and not path.startswith(link.folder):
            raise Forbidden(f"the signature is for {link.folder!r}")
        if link.expires <= time.time():
            raise LinkExpired("the link has expired")
        if link.address is not None and not _is_in(address, link.address):
            raise Forbidden(f"the signature is for another address than {address}")
        return link

    def open(self, scope: Scope) -> tuple[Link, Scope]:
        """Verify the signature of a request. Return the link, and the scope of the request without the signature.

        Raises Forbidden or LinkExpired as `verify` does. A path with an empty segment, "." or ".." is forbidden: the
        app could find another route for it than for the path that was signed.
        """
        if in_normal_form(scope) is not scope:
            raise Forbidden("the path is not in its normal form")
        client = scope.get("client")
        link = self.verify(full_path(scope), scope["query_string"], client[0] if client else None)
        return link, {**scope, "query_string": split_query(scope["query_string"])[1]}


def sign_url(
    url: str, *, secret: Secret | Sequence[Secret], expires: Expiry, address: str | None = None, name: str | None = None
) -> str:
    """Return a URL that works without a password until it expires; `Signer.sign` describes the parameters."""
    return Signer(secret).sign(url, expires=expires, address=address, name=name)


def secrets_of(text: str) -> list[str]:
    """Return the secrets of a setting, between which there are commas."""
    return [each for each in map(str.strip, text.split(",")) if each]


def full_path(scope: Scope) -> str:
    """Return the normalized path of a request, with that of the app's mount."""
    return f"{scope.get('root_path', '')}/{key_of(scope)}"


def _path_of(path: str) -> str:
    plain = _decoded(path)
    if ".." in plain.split("/"):
        raise ValueError(f"{path} has the segment '..', which may lead to another folder")
    return normalized(plain)


def _decoded(path: str) -> str:
    return os.fsdecode(unquote_to_bytes(path))


def _covered(body: str, path: str, query: str) -> bytes:
    """Return what the signature covers. The first letter says whether the link is for exactly one path and query."""
    return json.dumps([body, path, query] if body.startswith("x") else [body]).encode("ascii")


def _check(url: str, netloc: str, fragment: str, query: str) -> None:
    if _CONTROL.search(url):  # `urlsplit` leaves some out, so the link would be for another path
        raise ValueError(f"{url!r} has a control character, which must be percent-encoded")
    if _SURROGATE.search(url):
        raise ValueError("the URL has bytes that are not UTF-8, which must be percent-encoded")
    if "@" in netloc:
        raise ValueError("the URL has a password, which everyone with the link could read")
    if fragment:
        raise ValueError("the URL has a fragment (#), which no server gets")
    if not url.startswith("/") and not netloc:
        raise ValueError(f"{url!r} is neither a URL such as http://host/path nor a path such as /path")
    if split_query(query.encode("utf-8"))[0]:
        raise ValueError("the URL is signed already")


def _moment_of(expires: Expiry) -> int:
    """Return an expiry in seconds since 1970. Raises ValueError if it has passed, or if no calendar has it."""
    try:
        if isinstance(expires, datetime):
            moment = expires.timestamp()
        else:
            moment = time.time() + (expires.total_seconds() if isinstance(expires, timedelta) else expires)
        seconds = int(moment)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{expires!r} is no time") from error
    if moment > _LAST_MOMENT:
        raise ValueError(f"{expires!r} is no time")
    if moment <= time.time():
        raise ValueError("the link would have expired already")
    return seconds


def _network(address: str | None) -> str | None:
    if address is None:
        return None
    try:
        return str(plain_network(address, strict=False))
    except ValueError:
        raise ValueError(f"{address!r} is neither an IP address nor a network such as 192.0.2.0/24") from None


def _is_in(address: str | None, network: str) -> bool:
    try:
        return plain_address(address or "") in plain_network(network)
    except ValueError:
        return False
