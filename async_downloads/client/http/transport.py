"""httpx over the fast backend, and the client that downloads with it.

httpx has no argument for a network backend. Therefore this transport itself turns httpx's requests into httpcore's. It
uses only the public interfaces of both.
"""

import re
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Final

import httpcore
import httpx

from ...extras import how_to_install
from .backend import AsyncioBackend
from .cookies import empty_jar, read_cookies
from .errors import map_httpcore_errors
from .network import NetworkOptions, check_interface
from .proxies import Proxies
from .tls import tls_context

__all__ = ["TIMEOUT", "FastTransport", "new_client", "plain_length"]


# A server that has not accepted a connection after ten seconds will not accept it, but it may need more time for the
# response. The wait for a free connection of the pool has no limit, because it is not a failure.
TIMEOUT: Final = httpx.Timeout(30, connect=10, pool=None)
_CONNECTIONS: Final = 100  # open at the same time, for http and https each
_IDLE_SECONDS: Final = 5.0  # an unused connection stays open for this time, as in Apache and httpx
_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "async-downloads"}


def new_client(options: NetworkOptions = NetworkOptions()) -> httpx.AsyncClient:  # noqa: B008  # it is immutable
    """Return a client for downloads: no content coding, no redirects, and the network options.

    Raises ValueError if the file of cookies cannot be read, or if there is no such interface. Errors in proxies and
    certificates are raised by the first request that needs them, as UnsupportedProtocol or ConnectError.
    """
    check_interface(options)
    return httpx.AsyncClient(
        transport=FastTransport(options),
        timeout=TIMEOUT,
        headers=_HEADERS,
        cookies=read_cookies(options.cookie_file) if options.cookie_file else empty_jar(),
    )


class FastTransport(httpx.AsyncBaseTransport):
    """Connections on asyncio, direct or through proxies: up to 100 each for http, for https, and for each proxy.

    A connection is reused if the body was read to its end with the parser; see `_body_chunks`.
    """

    def __init__(self, options: NetworkOptions = NetworkOptions()) -> None:  # noqa: B008  # it is immutable
        self._options = options
        self._proxies = Proxies(options)
        self._pools: dict[tuple[str, str], httpcore.AsyncConnectionPool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and return the response, whose body is not read yet. Raises httpx.TransportError."""
        url = request.url
        pool = self._pool(request)
        with map_httpcore_errors():
            response = await pool.handle_async_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=_without_zone(request.headers.raw),
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

    def _pool(self, request: httpx.Request) -> httpcore.AsyncConnectionPool:
        """Return the connection pool for a request. Store the proxy in the request, for error messages.

        Certificates are read only for https, because that takes long.
        """
        try:
            proxy = self._proxies.of(request.url)
        except ValueError as error:
            raise httpx.UnsupportedProtocol(str(error), request=request) from error
        if proxy:
            request.extensions["proxy"] = f"{proxy.url.host}:{proxy.url.port or _PROXY_PORTS[proxy.url.scheme]}"
        key = request.url.scheme, str(proxy.url) + repr(proxy.raw_auth) if proxy else ""
        if key not in self._pools:
            context = tls_context(self._options) if request.url.scheme == "https" else None
            self._pools[key] = self._new_pool(proxy, context)
        return self._pools[key]

    def _new_pool(self, proxy: httpx.Proxy | None, context: ssl.SSLContext | None) -> httpcore.AsyncConnectionPool:
        family = {4: socket.AF_INET, 6: socket.AF_INET6, None: socket.AF_UNSPEC}[self._options.ip_version]
        limits: dict[str, Any] = {"max_connections": _CONNECTIONS, "keepalive_expiry": _IDLE_SECONDS}
        backend = AsyncioBackend(family, self._options.interface)
        if proxy is None:
            return httpcore.AsyncConnectionPool(ssl_context=context, network_backend=backend, **limits)
        url = httpcore.URL(scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target=b"/")
        if proxy.url.scheme == "socks5":
            try:
                return httpcore.AsyncSOCKSProxy(
                    url, proxy_auth=proxy.raw_auth, ssl_context=context, network_backend=backend, **limits
                )
            except (ImportError, RuntimeError) as error:  # the package `socksio` is missing
                raise httpx.UnsupportedProtocol(_NO_SOCKS) from error
        is_tls = proxy.url.scheme == "https"
        return httpcore.AsyncHTTPProxy(
            url,
            proxy_auth=proxy.raw_auth,
            ssl_context=context,
            proxy_ssl_context=tls_context(self._options) if is_tls else None,
            network_backend=None if is_tls else backend,  # our backend cannot do TLS inside TLS
            **limits,
        )


_PROXY_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080}
_NO_SOCKS: Final = f"a SOCKS proxy needs another package: {how_to_install('socks')}"
_ZONE: Final = re.compile(rb"%[^]]*")  # it has a meaning only on this machine


def _without_zone(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Remove the zone of an IPv6 address from the Host field (RFC 6874 §3)."""
    return [(name, _ZONE.sub(b"", value) if name.lower() == b"host" else value) for name, value in headers]


class _Body(httpx.AsyncByteStream):
    """The body of a response from httpcore. httpx reads it once and closes it."""

    def __init__(self, request: httpx.Request, response: httpcore.Response) -> None:
        self._read_timeout = request.extensions.get("timeout", {}).get("read")
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with map_httpcore_errors():
            async with aclosing(_body_chunks(self._response, self._read_timeout)) as body:
                async for chunk in body:
                    yield chunk

    async def aclose(self) -> None:
        """Return the connection to the pool, which closes it if the body was not read to its end."""
        with map_httpcore_errors():
            await self._response.aclose()


_PARSED_BYTES: Final = 64 * 1024  # the most that httpcore reads at a time
_FULL_CHUNKS: Final = 16  # chunks of that size in a row: then the body arrives faster than httpcore parses it
_LEFT_BYTES: Final = 8 * 1024 * 1024  # bytes to come: parsing so many takes more time than a new connection
_CHUNK_BYTES: Final = 2 * 1024 * 1024  # read at a time without the parser, which blocks the loop for 1 to 2 ms


async def _body_chunks(response: httpcore.Response, read_timeout: float | None) -> AsyncGenerator[bytes]:
    """Yield the body in two phases. Raises ReadTimeout if nothing arrives for `read_timeout` seconds.

    parsed     httpcore reads and parses; it can reuse the connection afterwards
    unparsed   after `_FULL_CHUNKS` full chunks, if at least `_LEFT_BYTES` are still to come: read directly from the
               connection. This takes less time, but httpcore does not see the end of the body and closes the connection
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
    """Return the Content-Length of a body that is sent without a transfer coding (RFC 9112 §6.2); otherwise 0."""
    if not response.extensions["http_version"].startswith(b"HTTP/1"):
        return 0
    fields = [(name.lower(), value) for name, value in response.headers]
    lengths = [value for name, value in fields if name == b"content-length"]
    if len(lengths) != 1 or not lengths[0].isdigit() or any(name == b"transfer-encoding" for name, _ in fields):
        return 0
    return int(lengths[0])
