"""One request and the head of its answer: redirects followed, and credentials kept at home."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final

import httpx

from ...errors import RefusedRedirect, Stalled
from ..decisions.response import ResponseHead
from ..decisions.retries import TransientError
from .errors import map_httpx_errors

__all__ = ["Exchange"]


_REDIRECTS: Final = 10
_CONNECT: Final = 10.0  # seconds
_SHORT: Final = re.compile(r"[0-9]{1,5}")  # bytes of a redirect's body that cost less to read than a new connection
# What another origin may be told of what the caller or the client sends. All else might be a key to the first one.
_HARMLESS: Final = frozenset({b"accept", b"accept-language", b"user-agent"})


class Exchange:
    """Asks one URL, always the original: where it redirects to may change, and a signature there may expire.

    `headers` are the caller's. `stall` is how many seconds the server may be silent; the head of an answer may take no
    longer than that and a connection together. ValueError when the URL or a header is none.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        insecure_redirects: bool = False,
        stall: float = 30.0,
    ) -> None:
        self._client = client
        self._headers = headers
        self._insecure = insecure_redirects
        self._connect = min(_CONNECT, stall)
        self._timeout = httpx.Timeout(stall, connect=self._connect, pool=None)
        self._longest = self._connect + stall
        try:
            self._url = client.build_request("GET", url).url
        except httpx.InvalidURL as error:
            raise ValueError(f"not a URL: {error}") from error
        if self._url.scheme not in {"http", "https"} or not self._url.host:
            raise ValueError("not the URL of anything to download: it begins with http:// or https:// and a host")

    @asynccontextmanager
    async def get(self, fields: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """Ask with these fields, and hold the answer open, whatever its status is; only redirects are followed.

        Raises TransientError for what may pass, RefusedRedirect and TlsError for what does not.
        """
        response = await self._follow({"Accept-Encoding": "identity", **fields})
        try:
            yield response
        finally:
            await response.aclose()

    @staticmethod
    def head(response: httpx.Response) -> ResponseHead:
        """Return the head of an answer, as it is judged."""
        return ResponseHead(response.status_code, response.headers, int(time.time()))

    async def _follow(self, fields: Mapping[str, str]) -> httpx.Response:
        request = self._request(self._url, fields)
        for _ in range(_REDIRECTS + 1):
            response = await self._send(request)
            if not response.has_redirect_location:
                return response
            try:
                request = self._redirected(response, fields)
                await _read_scrap(response, within=self._connect)
            finally:
                await response.aclose()
        raise RefusedRedirect(f"more than {_REDIRECTS} redirects")

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            with map_httpx_errors():
                async with _hurried(request, self._longest):
                    return await self._client.send(
                        request,
                        stream=True,
                        follow_redirects=False,
                        auth=httpx.USE_CLIENT_DEFAULT if self._is_home(request.url) else None,
                    )
        except httpx.InvalidURL as error:  # httpx looks where a redirect goes though it is not to follow it
            raise RefusedRedirect(f"a redirect to what is no URL: {error}") from error

    def _redirected(self, response: httpx.Response, fields: Mapping[str, str]) -> httpx.Request:
        url = response.url.join(response.headers["location"])
        if url.scheme not in {"http", "https"} or not url.host:
            raise RefusedRedirect("a redirect to something else than http or https")
        if "%" in url.host and ":" not in url.host:  # httpx writes so what no name has; an address may have a zone
            raise RefusedRedirect("a redirect to what is no URL")
        if (response.url.scheme, url.scheme) == ("https", "http") and not self._insecure:
            raise RefusedRedirect(f"a redirect from https to http, to {url.host}")
        return self._request(url, fields)

    def _request(self, url: httpx.URL, fields: Mapping[str, str]) -> httpx.Request:
        """Ask the origin of the URL with all that the caller and the client send, others with next to nothing."""
        if self._is_home(url):
            known = {"username": self._url.username, "password": self._url.password}
            headers = _headers(self._headers, fields)
            return self._client.build_request("GET", url.copy_with(**known), headers=headers, timeout=self._timeout)
        extensions = {"timeout": self._timeout.as_dict()}
        return httpx.Request("GET", url, headers=[*self._harmless(), *_headers((), fields)], extensions=extensions)

    def _harmless(self) -> list[tuple[bytes, bytes]]:
        headers = self._client.headers.copy()
        headers.update(_headers(self._headers, {}))
        return [(name, value) for name, value in headers.raw if name.lower() in _HARMLESS]

    def _is_home(self, url: httpx.URL) -> bool:
        return (url.scheme, url.host, url.port) == (self._url.scheme, self._url.host, self._url.port)


@asynccontextmanager
async def _hurried(request: httpx.Request, seconds: float) -> AsyncIterator[None]:
    """TransientError when the head of the answer takes longer, though now and then a byte of it comes.

    httpcore tells when it begins to connect or to send: the wait for one's turn before does not count.
    """

    async def begin(*_: object) -> None:
        if limit.when() is None:
            limit.reschedule(asyncio.get_running_loop().time() + seconds)

    request.extensions["trace"] = begin
    try:
        async with asyncio.timeout(None) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise TransientError(Stalled(f"no answer came within {seconds:g} s")) from None
    finally:
        del request.extensions["trace"]


def _headers(headers: Sequence[tuple[str, str]], fields: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Put the caller's first; a field of ours with the same name takes their place."""
    kept = [(name, value) for name, value in headers if name.lower() not in {each.lower() for each in fields}]
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in (*kept, *fields.items())]


async def _read_scrap(response: httpx.Response, *, within: float) -> None:
    """Read a short body to its end, as it is, so that the connection can be used again; a failure matters little."""
    length = response.headers.get("content-length", "")
    if response.is_stream_consumed or not _SHORT.fullmatch(length):
        return
    left = int(length)
    with suppress(httpx.TransportError, TimeoutError):
        async with asyncio.timeout(within):
            async with aclosing(response.aiter_raw()) as chunks:  # type: ignore[type-var]  # it is a generator
                async for chunk in chunks:
                    left -= len(chunk)
                    if left < 0:
                        return
