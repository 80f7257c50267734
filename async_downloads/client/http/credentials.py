"""User names and passwords from the URL or the netrc file. Each is sent only to its own host."""

import os
import re
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

import httpx

from .netrc_file import NetrcEntry, find_entry, parse_netrc

__all__ = ["Credentials"]


class Credentials:
    """Adds the Authorization field to the requests of one download.

    Basic (RFC 7617) is sent with the first request, because a server may not ask for a password. If the server asks for
    Digest (RFC 7616), `retried` returns one more request, and later requests to this host use Digest from the start.
    """

    def __init__(self, *, use_netrc: bool = True) -> None:
        self._netrc: Sequence[NetrcEntry] | None = None if use_netrc else ()
        self._digests: dict[tuple[str, str, str], httpx.DigestAuth] = {}

    def sign(self, request: httpx.Request) -> None:
        """Add the field, unless the request has one already or there is no password for its host."""
        if "authorization" in request.headers or not (key := self._key(request.url)):
            return
        if key in self._digests:
            _first(self._digests[key].auth_flow(request))
        else:
            _first(httpx.BasicAuth(*key[1:]).auth_flow(request))

    def retried(self, request: httpx.Request, response: httpx.Response) -> httpx.Request | None:
        """Return the request with Digest if the response asks for Digest and a password is known; otherwise None.

        Digest is tried once more if the server sends a new nonce, but not if it has just refused the password.
        """
        key = self._key(request.url)
        if response.status_code != 401 or not key:
            return None
        was_digest = request.headers.get("authorization", "").lower().startswith("digest ")
        for challenge in _digest_challenges(response):
            if was_digest and "stale=true" not in challenge.lower().replace('"', "").replace(" ", ""):
                return None
            auth = httpx.DigestAuth(*key[1:])
            if retried := _authorized(auth, request, challenge):
                self._digests[key] = auth
                return retried
        return None

    def _key(self, url: httpx.URL) -> tuple[str, str, str] | None:
        """Return the origin, the user name and the password for a URL."""
        origin = f"{url.scheme}://{url.netloc.decode('ascii').rpartition('@')[2]}"
        if url.password:
            return origin, url.username, url.password
        if self._netrc is None:
            self._netrc = _read_netrc()
        found = find_entry(self._netrc, url.host.lower(), url.username)
        if found:
            return origin, found.login, found.password
        return (origin, url.username, "") if url.username else None


# Possessive quantifiers, so that hostile fields take linear time.
_DIGEST: Final = re.compile(
    r'(?:^|,)\s*+(digest\s(?:\s*+,?+\s*+[\w-]++\s*+=\s*+(?:"(?:[^"\\]++|\\.)*+"|[^\s,"]++))+)',
    re.IGNORECASE,
)


def _digest_challenges(response: httpx.Response) -> list[str]:
    """Return the challenges for Digest, one for each algorithm. A field may have several (RFC 9110 §11.6.1)."""
    fields = response.headers.get_list("www-authenticate")
    return [found[1] for field in fields for found in _DIGEST.finditer(field)]


def _authorized(auth: httpx.DigestAuth, request: httpx.Request, challenge: str) -> httpx.Request | None:
    """Return the request with the response to a challenge; None if the challenge is malformed or unknown."""
    flow = auth.auth_flow(request)
    _first(flow)
    try:
        return flow.send(httpx.Response(401, headers={"www-authenticate": challenge}, request=request))
    except (httpx.ProtocolError, NotImplementedError, KeyError, ValueError):
        return None


def _first(flow: Generator[httpx.Request, httpx.Response, None]) -> httpx.Request:
    """Return the request of the first step. httpx has added the field to it."""
    return next(flow)


def _read_netrc() -> Sequence[NetrcEntry]:
    """Return the entries of the netrc file; an empty list if it is missing or cannot be read."""
    path = Path(os.environ.get("NETRC") or os.path.expanduser("~/.netrc"))
    try:
        return parse_netrc(path.read_text("utf-8", errors="replace")) if path.is_file() else ()
    except OSError:
        return ()
