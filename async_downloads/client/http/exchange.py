"""One request and the head of its response. Redirects are followed; credentials are sent only to their origin."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final

import httpx

from ...errors import BadStatus, RefusedRedirect, Stalled
from ..decisions.retries import TransientError
from ..decisions.verdict import ResponseHead
from .cookies import cookie_field
from .credentials import Credentials
from .error_text import read_error_text
from .errors import map_httpx_errors
from .labels import coding_to_remove, removable_coding
from .redirects import MAX_REDIRECTS, escaped_url, is_redirect, is_requestable, redirect_target

__all__ = ["RESPONSE_SECONDS", "Exchange"]


RESPONSE_SECONDS: Final = 300.0  # a server may generate the file when it is requested
_CONNECT_SECONDS: Final = 10.0
_SHORT_LENGTH: Final = re.compile(r"[0-9]{1,5}")  # bytes that are read faster than a new connection is made
_CODING: Final = b"content-encoding"
_EXPLAINED: Final = frozenset(range(400, 600)) - {416}  # 416 only says that no byte is missing
# The headers that are also sent to other origins. Any other header of the caller or the client might be a secret.
_PUBLIC_HEADERS: Final = frozenset({b"accept", b"accept-language", b"user-agent"})


class Exchange:
    """Requests one URL, as often as needed. One download owns it; the client belongs to the caller.

        idle ──get──▶ request ──3xx──▶ request ... ──any other status──▶ open response ──end of the block──▶ idle

    Each `get` starts again at the original URL, because a redirect may change, and a signature in its URL may expire.

    `headers` are sent only to the origin of `url`. A response must begin within the connect timeout plus
    `response_seconds`, or within `stall` seconds if that is less and `get` expects a quick response. With
    `insecure_redirects`, a redirect from https to http is followed. With `use_netrc`, the passwords of the netrc file
    are sent to the hosts that it names. With `as_sent`, the body is not decoded, and `labelled` says whether the last
    response had a content coding.

    Raises ValueError if the URL is not valid or has no http or https scheme.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        insecure_redirects: bool = False,
        stall: float = 30.0,
        response_seconds: float = RESPONSE_SECONDS,
        use_netrc: bool = True,
        as_sent: bool = False,
    ) -> None:
        self._client = client
        self._headers = headers
        self._insecure_redirects = insecure_redirects
        self._credentials = Credentials(use_netrc=use_netrc)
        self._as_sent = as_sent
        self.labelled: bool = False
        self._connect_seconds = min(_CONNECT_SECONDS, stall)
        self._timeout = httpx.Timeout(stall, connect=self._connect_seconds, read=None, pool=None)
        self._stall = stall
        self._response_seconds = response_seconds
        self._url = _checked_url(client, url)

    @property
    def host(self) -> str:
        """The host of the URL."""
        return self._url.host

    @property
    def name(self) -> str:
        """The last part of the URL's path."""
        return self._url.path.rpartition("/")[2]

    @asynccontextmanager
    async def get(self, fields: Mapping[str, str], *, is_quick: bool = False) -> AsyncIterator[httpx.Response]:
        """Send a GET request with these header fields. Follow redirects. Yield the open response, whatever its status.

        `is_quick` says that an earlier request has shown that the server need not generate the file first.

        Raises TransientError if another attempt may succeed, RefusedRedirect, TlsError or BadStatus if not, and
        ValueError if a header is not valid.
        """
        seconds = min(self._stall, self._response_seconds) if is_quick else self._response_seconds
        response = await self._follow({"Accept-Encoding": "identity", **fields}, self._connect_seconds + seconds)
        text = ""
        try:
            text = await read_error_text(response) if response.status_code in _EXPLAINED else ""
            yield response
        except BadStatus as error:
            raise error.explained(text) from None
        except TransientError as error:
            if isinstance(error.error, BadStatus):
                error.error = error.error.explained(text)
            raise
        finally:
            await response.aclose()

    def head(self, response: httpx.Response) -> ResponseHead:
        """Return the head of a response, with the current time.

        The head has no Content-Encoding if the body must not be decoded.
        """
        fields = response.headers
        if "content-encoding" in fields:
            queried = [value for url in (self._url, response.url) for value in url.params.values()]
            coding = coding_to_remove(fields, self._url.path, response.url.path, *queried)
            if self._as_sent:
                self.labelled, coding = removable_coding(fields) is not None, None
            others = [(name, value) for name, value in fields.raw if name.lower() != _CODING]
            fields = httpx.Headers([*others, *([(_CODING, coding.encode())] if coding else [])])
        return ResponseHead(response.status_code, fields, int(time.time()), str(response.url))

    async def _follow(self, fields: Mapping[str, str], seconds: float) -> httpx.Response:
        request = self._request(self._url, fields)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._send_signed(request, seconds)
            if not is_redirect(response):
                return response
            try:
                url = redirect_target(response, insecure=self._insecure_redirects)
                request = self._request(url, fields)
                await _drain(response, seconds=self._connect_seconds)
            finally:
                await response.aclose()
        raise RefusedRedirect(f"more than {MAX_REDIRECTS} redirects")

    async def _send_signed(self, request: httpx.Request, seconds: float) -> httpx.Response:
        """Send a request with the password for its host. If the server asks for Digest, send it once more."""
        if not self._has_own_auth(request.url):
            self._credentials.sign(request)
        response = await self._send(request, seconds)
        retried = None if self._has_own_auth(request.url) else self._credentials.retried(request, response)
        if retried is None:
            return response
        try:
            await _drain(response, seconds=self._connect_seconds)
        finally:
            await response.aclose()
        return await self._send(retried, seconds)

    def _has_own_auth(self, url: httpx.URL) -> bool:
        """Return whether the caller's client knows how to authenticate at a URL."""
        return self._client.auth is not None and self._is_own_origin(url)

    async def _send(self, request: httpx.Request, seconds: float) -> httpx.Response:
        try:
            with map_httpx_errors():
                async with _head_within(request, seconds):
                    return await self._client.send(
                        request,
                        stream=True,
                        follow_redirects=False,
                        auth=httpx.USE_CLIENT_DEFAULT if self._has_own_auth(request.url) else httpx.Auth(),
                    )
        # httpx parses the Location field even if it does not follow redirects, and looks at its host.
        except (httpx.InvalidURL, UnicodeError) as error:
            raise RefusedRedirect(f"the redirect leads to an invalid URL: {error}") from error

    def _request(self, url: httpx.URL, fields: Mapping[str, str]) -> httpx.Request:
        """Return a request. Only the original origin gets all headers of caller and client; others get public ones."""
        if self._is_own_origin(url):
            user = {"username": self._url.username, "password": self._url.password}
            headers = _headers(self._headers, fields)
            request = self._client.build_request("GET", url.copy_with(**user), headers=headers, timeout=self._timeout)
            cookies = cookie_field(self._client.cookies, url, self._own_cookies())
        else:
            extensions = {"timeout": self._timeout.as_dict()}
            headers = [*self._public(), *_headers((), fields)]
            request = httpx.Request("GET", url, headers=headers, extensions=extensions)
            cookies = cookie_field(self._client.cookies, url)
        request.headers.pop("Cookie", None)  # httpx would also send cookies that RFC 6265 does not allow
        if cookies:
            request.headers["Cookie"] = cookies
        return request

    def _own_cookies(self) -> str:
        """Return the cookies in the caller's headers, and in those of the client."""
        fields = [value for name, value in self._headers if name.lower() == "cookie"]
        return "; ".join(fields) or self._client.headers.get("cookie", "")

    def _public(self) -> list[tuple[bytes, bytes]]:
        headers = self._client.headers.copy()
        headers.update(_headers(self._headers, {}))
        return [(name, value) for name, value in headers.raw if name.lower() in _PUBLIC_HEADERS]

    def _is_own_origin(self, url: httpx.URL) -> bool:
        return (url.scheme, url.host, url.port) == (self._url.scheme, self._url.host, self._url.port)


@asynccontextmanager
async def _head_within(request: httpx.Request, seconds: float) -> AsyncIterator[None]:
    """Limit the time for the complete head, because a server could send it byte by byte. Raises TransientError.

    The time starts with the first event that httpcore traces, when it begins to connect or to send. So the wait for a
    free connection of the pool does not count.
    """

    async def start(*_: object) -> None:
        if limit.when() is None:
            limit.reschedule(asyncio.get_running_loop().time() + seconds)

    request.extensions["trace"] = start
    try:
        async with asyncio.timeout(None) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise TransientError(Stalled(f"no response came within {seconds:g} s"), waited=seconds) from None
    finally:
        del request.extensions["trace"]


def _headers(headers: Sequence[tuple[str, str]], fields: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return the caller's headers, then the `fields`. A field replaces a header of the same name."""
    replaced = {name.lower() for name in fields}
    kept = [(name, value) for name, value in headers if name.lower() not in replaced]
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in (*kept, *fields.items())]


async def _drain(response: httpx.Response, *, seconds: float) -> None:
    """Read a short body without decoding it, so that its connection can be reused. Errors are ignored."""
    length = response.headers.get("content-length", "")
    if response.is_stream_consumed or not _SHORT_LENGTH.fullmatch(length):
        return
    left = int(length)
    with suppress(httpx.TransportError, TimeoutError):
        async with asyncio.timeout(seconds):
            async with aclosing(response.aiter_raw()) as chunks:  # type: ignore[type-var]  # it is a generator
                async for chunk in chunks:
                    left -= len(chunk)
                    if left < 0:
                        return


def _checked_url(client: httpx.AsyncClient, url: str) -> httpx.URL:
    """Return the URL as `client` requests it. Raises ValueError if no file can be downloaded from it."""
    try:
        checked = client.build_request("GET", escaped_url(url)).url
    except (httpx.InvalidURL, UnicodeError) as error:  # httpx refuses hosts that IDNA 2008 does not allow
        raise ValueError(f"not a URL: {error}") from error
    if checked.scheme not in {"http", "https"} or not checked.host:
        raise ValueError("not a URL to download from: it must begin with http:// or https://, then a host")
    if not is_requestable(checked):
        raise ValueError("not a URL: no host has this name, or no port has this number")
    return checked
