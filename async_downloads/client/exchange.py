"""One request and the head of its answer: redirects followed, credentials kept at home, failures by our names."""

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
        with failures():
            self._url = client.build_request("GET", url).url
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
        request = self._client.build_request(
            "GET", self._url, headers=_headers(self._headers, fields), timeout=self._timeout
        )
        for _ in range(_REDIRECTS + 1):
            with failures():
                response = await self._client.send(request, stream=True, follow_redirects=False)
            if not response.has_redirect_location:
                return response
            try:
                request = self._redirected(response, fields)
                await _read_scrap(response)
            finally:
                await response.aclose()
        raise RefusedRedirect(f"more than {_REDIRECTS} redirects")

    def _redirected(self, response: httpx.Response, fields: Mapping[str, str]) -> httpx.Request:
        url = _location(response)
        if url.scheme not in {"http", "https"} or not url.host:
            raise RefusedRedirect("a redirect to something else than http or https")
        if (response.url.scheme, url.scheme) == ("https", "http") and not self._insecure:
            raise RefusedRedirect(f"a redirect from https to http, to {url.host}")
        extensions = {"timeout": self._timeout.as_dict()}
        if _origin(url) != _origin(self._url):
            harmless = [(name, value) for name, value in self._headers if name.lower() in _HARMLESS]
            return httpx.Request("GET", url, headers=_headers(harmless, fields), extensions=extensions)
        return self._client.build_request("GET", url, headers=_headers(self._headers, fields), timeout=self._timeout)


@contextmanager
def failures() -> Iterator[None]:
    """Raise what httpx raises as what it means here."""
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeEncodeError) as error:
        raise ValueError(f"cannot ask for this: {error}") from error
    except httpx.TransportError as error:
        raise _meaning(error) from error


def _meaning(error: httpx.TransportError) -> Exception:
    text = str(error) or type(error).__name__
    match error:
        case httpx.ReadTimeout() | httpx.WriteTimeout():
            return Setback(Stalled("nothing came for too long"))
        case httpx.ConnectError() if _has_tls_error(error):
            return TlsError(text)
        case httpx.RemoteProtocolError() if not any(sign in text for sign in ("disconnected", "closed", "EOF")):
            return Setback(BadAnswer(f"the server does not speak HTTP: {text}"))
        case httpx.ConnectTimeout():
            return Setback(NetworkError("no connection within the time for it"))
        case _:
            return Setback(NetworkError(text))


def _has_tls_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _headers(headers: Sequence[tuple[str, str]], fields: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Put the caller's first; a field of ours with the same name takes their place."""
    kept = [(name, value) for name, value in headers if name.lower() not in {each.lower() for each in fields}]
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in (*kept, *fields.items())]


def _location(response: httpx.Response) -> httpx.URL:
    try:
        return response.url.join(response.headers["location"])
    except httpx.InvalidURL as error:
        raise RefusedRedirect("a redirect to what is no URL") from error


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


async def _read_scrap(response: httpx.Response) -> None:
    """Read a short body to its end, so that the connection can be used again."""
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) <= _SCRAP:
        with failures():
            await response.aread()
