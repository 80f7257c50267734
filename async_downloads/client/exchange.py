"""One request and the head of its answer: redirects followed, credentials kept at home, failures by our names."""

import os
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import httpx

from ..errors import BadAnswer, NetworkError, RefusedRedirect, Stalled, TlsError
from .backoff import Setback
from .judge import Answer

__all__ = ["Exchange", "failures"]

_REDIRECTS: Final = 10
_CONNECT: Final = 10.0  # seconds
_SCRAP: Final = 64 * 1024  # bytes of a redirect's body that cost less to read than a new connection
# What another origin may be told of what the caller has us send. All else might be a key to the first one.
_HARMLESS: Final = frozenset({"accept", "accept-language", "user-agent"})


class Exchange:
    """Asks one URL, always the original: where it redirects to may change, and a signature there may expire.

    `headers` are the caller's. `stall` is how many seconds the server may be silent. ValueError when the URL or a
    header is none.
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
        self._timeout = httpx.Timeout(stall, connect=min(_CONNECT, stall), pool=None)
        try:
            self._url = client.build_request("GET", url).url
        except httpx.InvalidURL as error:
            raise ValueError(f"not a URL: {error}") from error
        if self._url.scheme not in {"http", "https"} or not self._url.host:
            raise ValueError("not the URL of anything to download: it begins with http:// or https:// and a host")

    @asynccontextmanager
    async def get(self, fields: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """Ask with these fields, and hold the answer open, whatever its status is; only redirects are followed.

        Raises Setback for what may pass, RefusedRedirect and TlsError for what does not.
        """
        response = await self._follow({"Accept-Encoding": "identity", **fields})
        try:
            yield response
        finally:
            await response.aclose()

    @staticmethod
    def head(response: httpx.Response) -> Answer:
        """Return the head of an answer, as it is judged."""
        return Answer(response.status_code, response.headers, int(time.time()))

    async def _follow(self, fields: Mapping[str, str]) -> httpx.Response:
        request = self._request(self._url, fields)
        for _ in range(_REDIRECTS + 1):
            response = await self._send(request)
            if not response.has_redirect_location:
                return response
            try:
                request = self._redirected(response, fields)
                await _read_scrap(response)
            finally:
                await response.aclose()
        raise RefusedRedirect(f"more than {_REDIRECTS} redirects")

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            with failures():
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
        if (response.url.scheme, url.scheme) == ("https", "http") and not self._insecure:
            raise RefusedRedirect(f"a redirect from https to http, to {url.host}")
        return self._request(url, fields)

    def _request(self, url: httpx.URL, fields: Mapping[str, str]) -> httpx.Request:
        """Ask the origin of the URL with all that the caller and the client send, others with next to nothing."""
        if self._is_home(url):
            known = {"username": self._url.username, "password": self._url.password}
            headers = _headers(self._headers, fields)
            return self._client.build_request("GET", url.copy_with(**known), headers=headers, timeout=self._timeout)
        harmless = [(name, value) for name, value in self._headers if name.lower() in _HARMLESS]
        extensions = {"timeout": self._timeout.as_dict()}
        return httpx.Request("GET", url, headers=_headers(harmless, fields), extensions=extensions)

    def _is_home(self, url: httpx.URL) -> bool:
        return (url.scheme, url.host, url.port) == (self._url.scheme, self._url.host, self._url.port)


@contextmanager
def failures() -> Iterator[None]:
    """Raise what httpx raises as what it means here."""
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
        raise ValueError(f"cannot ask for this: {error}") from error
    except httpx.TransportError as error:
        raise _meaning(error) from error


def _meaning(error: httpx.TransportError) -> Exception:
    text = _system_text(error) or str(error) or type(error).__name__
    match error:
        case httpx.ReadTimeout() | httpx.WriteTimeout():
            return Setback(Stalled("nothing came for too long"))
        case httpx.ConnectError() if _has_tls_error(error):
            return TlsError(text)
        case httpx.RemoteProtocolError() if "location header" in text:
            return RefusedRedirect("a redirect to what is no URL")
        case httpx.RemoteProtocolError() if not any(sign in text for sign in ("disconnected", "closed", "EOF")):
            return Setback(BadAnswer(f"the server does not speak HTTP: {text}"))
        case httpx.ConnectTimeout():
            return Setback(NetworkError("no connection within the time for it"))
        case _:
            return Setback(NetworkError(text))


def _has_tls_error(error: BaseException) -> bool:
    return any(isinstance(each, ssl.SSLError) for each in _causes(error))


def _system_text(error: BaseException) -> str | None:
    """Return what the system says of it; asyncio and others say it in ways of their own."""
    numbers = (
        each.errno for each in _causes(error) if isinstance(each, OSError) and not isinstance(each, ssl.SSLError)
    )
    return next((os.strerror(number) for number in numbers if number and number > 0), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _headers(headers: Sequence[tuple[str, str]], fields: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Put the caller's first; a field of ours with the same name takes their place."""
    kept = [(name, value) for name, value in headers if name.lower() not in {each.lower() for each in fields}]
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in (*kept, *fields.items())]


async def _read_scrap(response: httpx.Response) -> None:
    """Read a short body to its end, so that the connection can be used again."""
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) <= _SCRAP:
        with failures():
            await response.aread()
