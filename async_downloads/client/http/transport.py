"""httpx over the fast backend, and the client that downloads with it.

httpx has no argument for a network backend. This transport therefore repeats the step from httpx's requests to
httpcore's, using only the public interface of both.
"""

import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final
from urllib.request import getproxies

import httpcore
import httpx

from .backend import AsyncioBackend
from .errors import map_httpcore_errors

__all__ = ["TIMEOUT", "FastTransport", "new_client", "plain_length"]


# A server that has not accepted after ten seconds will not accept, but it may need time for the response. The wait for
# a connection of the pool has no limit, because it is not a failure.
TIMEOUT: Final = httpx.Timeout(30, connect=10, pool=None)
_CONNECTIONS: Final = 100  # open at a time, for each of http and https
_IDLE_SECONDS: Final = 5.0  # that an unused connection stays open, as in Apache and httpx
_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "async-downloads"}


def new_client() -> httpx.AsyncClient:
    """Return a client for downloads: no content coding, no redirects, and the proxies that the environment names.

    A proxy is reached through httpx's own transport, everything else through `FastTransport`.

    Raises ValueError if the URL of a proxy is not valid, if a proxy needs a package that is not installed, or if a
    proxy is set and the certificates cannot be read. Without a proxy they are read for the first https URL, which then
    raises ConnectError.
    """
    proxied = getproxies().keys() & {"http", "https", "all"}
    transport = FastTransport()
    # httpx ignores the environment's proxies if it is given a transport. A mount for "all" is used for the schemes
    # that have no proxy; it would replace a proxy for "all".
    mounts = {"all://": transport} if proxied and "all" not in proxied else None
    try:
        return httpx.AsyncClient(
            transport=None if proxied else transport,
            mounts=mounts,
            limits=httpx.Limits(
                max_connections=_CONNECTIONS,
                max_keepalive_connections=_CONNECTIONS,
                keepalive_expiry=_IDLE_SECONDS,
            ),
            timeout=TIMEOUT,
            headers=_HEADERS,
        )
    except httpx.InvalidURL as error:
        raise ValueError(f"the environment names a proxy whose URL is not valid: {error}") from error
    except ImportError as error:
        raise ValueError(str(error)) from error
    except OSError as error:
        raise ValueError(_unreadable_certificates(error)) from error


class FastTransport(httpx.AsyncBaseTransport):
    """Direct connections on asyncio, up to 100 for each of http and https.

    A connection is reused if its body was read to the end, unless `_body_chunks` took the connection from the parser.
    """

    def __init__(self) -> None:
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and return the response; its body is still to be read. Raises httpx.TransportError."""
        url = request.url
        with map_httpcore_errors():
            response = await self._pool(url.scheme).handle_async_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(request, response), extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close all connections."""
        while self._pools:
            await self._pools.popitem()[1].aclose()

    def _pool(self, scheme: str) -> httpcore.AsyncConnectionPool:
        """Return the connections of a scheme. Certificates are read for https only, because that takes long."""
        if scheme not in self._pools:
            self._pools[scheme] = httpcore.AsyncConnectionPool(
                ssl_context=None if scheme == "http" else _tls_context(),
                max_connections=_CONNECTIONS,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=AsyncioBackend(),
            )
        return self._pools[scheme]


def _tls_context() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise httpx.ConnectError(_unreadable_certificates(error)) from ssl.SSLError(str(error))


def _unreadable_certificates(error: OSError) -> str:
    """Name the certificates that cannot be read, because the error does not."""
    variables = (os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    path = next(filter(None, variables), "those of certifi")
    return f"the trusted certificates cannot be read, {path}: {error.strerror or error}"


class _Body(httpx.AsyncByteStream):
    """The body of a response of httpcore. httpx reads it once and closes it."""

    def __init__(self, request: httpx.Request, response: httpcore.Response) -> None:
        self._read_timeout = request.extensions.get("timeout", {}).get("read")
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with map_httpcore_errors():
            async with aclosing(_body_chunks(self._response, self._read_timeout)) as body:
                async for chunk in body:
                    yield chunk

    async def aclose(self) -> None:
        """Give the connection back to the pool, which closes it if the body was not read to its end."""
        with map_httpcore_errors():
            await self._response.aclose()


_PARSED_BYTES: Final = 64 * 1024  # that httpcore reads at once, at most
_FULL_CHUNKS: Final = 16  # of that size: the body then arrives faster than httpcore parses it
_LEFT_BYTES: Final = 8 * 1024 * 1024  # to come: parsing these costs more time than a new connection
_CHUNK_BYTES: Final = 2 * 1024 * 1024  # read at once without the parser: this blocks the loop for 1 to 2 ms


async def _body_chunks(response: httpcore.Response, read_timeout: float | None) -> AsyncGenerator[bytes]:
    """Yield the body in two phases. Raises ReadTimeout if nothing arrives for `read_timeout` seconds.

    parsed     httpcore reads and parses; it can reuse the connection afterwards
    unparsed   from `_FULL_CHUNKS` full chunks on, if `_LEFT_BYTES` are still to come: read from the connection
               itself, which costs less but hides the end of the body from httpcore, so it closes the connection
    """
    left, full = plain_length(response), 0
    async with aclosing(response.aiter_stream()) as parsed:  # type: ignore[type-var]  # it is a generator
        async for chunk in parsed:
            yield chunk
            left -= len(chunk)
            full += len(chunk) >= _PARSED_BYTES
            if full >= _FULL_CHUNKS and left >= _LEFT_BYTES:
                break
        else:
            return
        # The parser yields every byte that it has read, so the next byte of the body is the next one on the connection.
        # `parsed` stays open in this phase: closing it would close the connection.
        async with aclosing(_unparsed(response.extensions["network_stream"], left, read_timeout)) as unparsed:
            async for chunk in unparsed:
                yield chunk


async def _unparsed(
    stream: httpcore.AsyncNetworkStream, left: int, read_timeout: float | None
) -> AsyncGenerator[bytes]:
    while left:
        chunk = await stream.read(min(left, _CHUNK_BYTES), read_timeout)
        if not chunk:
            raise httpcore.RemoteProtocolError(f"peer closed connection {left} bytes before the end of the body")
        left -= len(chunk)
        yield chunk


def plain_length(response: httpcore.Response) -> int:
    """Return the length of a body that follows its head with nothing in between (RFC 9112 §6.2); 0 for any other."""
    if not response.extensions["http_version"].startswith(b"HTTP/1"):
        return 0
    fields = [(name.lower(), value) for name, value in response.headers]
    lengths = [value for name, value in fields if name == b"content-length"]
    if len(lengths) != 1 or not lengths[0].isdigit() or any(name == b"transfer-encoding" for name, _ in fields):
        return 0
    return int(lengths[0])
