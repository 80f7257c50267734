"""httpx over the fast backend, and the client that downloads with it.

httpx has no argument for a network backend, so the transport that puts its requests to httpcore is here again, with
the public interface of both alone.
"""

import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Final
from urllib.request import getproxies

import httpcore
import httpx

from .backend import AsyncioBackend

__all__ = ["TIMEOUT", "FastTransport", "new_client", "plain_length", "segments"]


_FULL: Final = 64 * 1024  # bytes that httpcore reads at once, at most
_BUSY: Final = 16  # full segments, which tell that more had come than was read
_LONG: Final = 8 * 1024 * 1024  # bytes that cost more to be parsed than another connection does
_AT_ONCE: Final = 2 * 1024 * 1024  # bytes: a turn of the loop of one or two milliseconds


async def segments(response: httpcore.Response, patience: float | None) -> AsyncGenerator[bytes]:
    """Yield the body. Silence for `patience` seconds is a ReadTimeout, as it is when all of it is parsed."""
    left, busy = plain_length(response), 0
    async with aclosing(response.aiter_stream()) as parsed:  # type: ignore[type-var]  # it is a generator
        async for segment in parsed:
            yield segment
            left -= len(segment)
            busy += len(segment) >= _FULL
            if busy >= _BUSY and left >= _LONG:
                break
        else:
            return
        # The parser gives out all that it has: while there is more of the body to come, it holds nothing back.
        async with aclosing(_read(response.extensions["network_stream"], left, patience)) as unparsed:
            async for segment in unparsed:
                yield segment


async def _read(stream: httpcore.AsyncNetworkStream, left: int, patience: float | None) -> AsyncGenerator[bytes]:
    while left:
        segment = await stream.read(min(left, _AT_ONCE), patience)
        if not segment:
            raise httpcore.RemoteProtocolError(f"peer closed connection {left} bytes before the end of the body")
        left -= len(segment)
        yield segment


def plain_length(response: httpcore.Response) -> int:
    """Return how many bytes follow the head when they are those of the body and nothing else; otherwise 0."""
    if not response.extensions["http_version"].startswith(b"HTTP/1"):
        return 0
    fields = [(name.lower(), value) for name, value in response.headers]
    lengths = [value for name, value in fields if name == b"content-length"]
    if len(lengths) != 1 or not lengths[0].isdigit() or any(name == b"transfer-encoding" for name, _ in fields):
        return 0
    return int(lengths[0])


# Seconds. A connection that is not there after ten will not come, and a server may think for a while. None for the
# pool: to wait for one's turn is no failure.
TIMEOUT: Final = httpx.Timeout(30, connect=10, pool=None)
_KEPT: Final = 5.0  # seconds that an idle connection is kept, as Apache and httpx do
_NAMES: Final = (
    "TimeoutException", "ConnectTimeout", "ReadTimeout", "WriteTimeout", "PoolTimeout",
    "NetworkError", "ConnectError", "ReadError", "WriteError",
    "ProtocolError", "LocalProtocolError", "RemoteProtocolError",
    "ProxyError", "UnsupportedProtocol",
)  # fmt: skip
_RAISED: Final[dict[type[Exception], type[httpx.TransportError]]] = {
    getattr(httpcore, name): getattr(httpx, name) for name in _NAMES
}


def new_client(
    *,
    connections: int = 100,
    http2: bool = False,
    headers: Sequence[tuple[str, str]] = (),
    verify: ssl.SSLContext | bool = True,
    fast: bool = True,
) -> httpx.AsyncClient:
    """Return a client for downloads: nothing coded, no redirect followed, proxies of the environment respected.

    A proxy is reached by httpx's own transport, and so is everything when `fast` is false. HTTP/2 is slower than
    HTTP/1.1 here. ValueError when that or a proxy needs a package that is not installed, or a proxy's URL is none.
    Without a proxy, certificates are read when they are needed first: ConnectError is then that they cannot be.
    """
    proxied = getproxies().keys() & {"http", "https", "all"}
    transport = FastTransport(connections=connections, verify=verify, http2=http2) if fast else None
    # Given as the transport, ours would have httpx forget the proxies. Mounted for all, it gives way to a proxy for
    # one scheme, and would take the place of one for all of them.
    mounts = {"all://": transport} if transport and proxied and "all" not in proxied else None
    try:
        return httpx.AsyncClient(
            transport=None if proxied else transport,
            mounts=mounts,
            verify=verify,
            http2=http2,
            limits=_limits(connections),
            timeout=TIMEOUT,
            headers=[("Accept-Encoding", "identity"), ("User-Agent", "async-downloads"), *headers],
        )
    except httpx.InvalidURL as error:
        raise ValueError(f"the URL of a proxy in the environment is none: {error}") from error
    except ImportError as error:
        raise ValueError(str(error)) from error
    except OSError as error:
        raise ValueError(_distrust(error)) from error


def _limits(connections: int) -> httpx.Limits:
    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEPT)


class FastTransport(httpx.AsyncBaseTransport):
    """Direct connections, on asyncio: segments of a body come as the network brought them, to 2 MiB each.

    No more than `connections` are open at a time, for each of http and https. A connection is used again when its body
    was read to the end of the iterator, unless that was long and came very fast. `retries` are of connecting alone.
    """

    def __init__(
        self,
        *,
        connections: int = 100,
        verify: ssl.SSLContext | bool = True,
        http2: bool = False,
        retries: int = 0,
    ) -> None:
        self._connections = connections
        self._verify = verify
        self._http2 = http2
        self._retries = retries
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and return the answer, of which the body is still to be read."""
        with map_httpcore_errors():
            response = await self._pool(request.url.scheme).handle_async_request(
                httpcore.Request(
                    request.method,
                    _address(request.url),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(request, response), extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close every connection."""
        while self._pools:
            await self._pools.popitem()[1].aclose()

    def _pool(self, scheme: str) -> httpcore.AsyncConnectionPool:
        """Return the connections of a scheme: who never uses TLS need not wait for the certificates to be read."""
        if scheme not in self._pools:
            context = None if scheme == "http" else _trusting(self._verify)
            self._pools[scheme] = httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=self._connections,
                keepalive_expiry=_KEPT,
                http2=self._http2,
                retries=self._retries,
                network_backend=AsyncioBackend(),
            )
        return self._pools[scheme]


class _Body(httpx.AsyncByteStream):
    """The body of an answer of httpcore."""

    def __init__(self, request: httpx.Request, response: httpcore.Response) -> None:
        self._retry_budget = request.extensions.get("timeout", {}).get("read")
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with map_httpcore_errors():
            async with aclosing(segments(self._response, self._retry_budget)) as body:
                async for segment in body:
                    yield segment

    async def aclose(self) -> None:
        with map_httpcore_errors():
            await self._response.aclose()


def _trusting(verify: ssl.SSLContext | bool) -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context(verify=verify)
    except OSError as error:
        raise httpx.ConnectError(_distrust(error)) from ssl.SSLError(str(error))


def _distrust(error: OSError) -> str:
    """Say which certificates cannot be read, since the error does not."""
    places = (os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    place = next(filter(None, places), "those of certifi")
    return f"the certificates to be trusted cannot be read, {place}: {error.strerror or error}"


def _address(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


@contextmanager
def map_httpcore_errors() -> Iterator[None]:
    """Raise the exception of httpx that has the name of httpcore's."""
    try:
        yield
    except tuple(_RAISED) as error:
        kind = next(_RAISED[base] for base in type(error).__mro__ if base in _RAISED)
        raise kind(str(error)) from error
