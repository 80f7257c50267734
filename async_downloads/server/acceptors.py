"""Accept connections from listening sockets, and stop accepting without losing one."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Final

from .handshakes import Handshakes
from .http1.server import Http1Server
from .http2.negotiation import Negotiation
from .line_writer import report
from .proxies.preamble import ProxyPreamble

__all__ = ["BACKLOG", "Acceptors", "accepting"]


BACKLOG: Final = 4096  # connections that the kernel completes before they are accepted
# In one turn of the loop, asyncio accepts as many connections as its backlog says. A connection and its first request
# take about 0.2 ms, in which all other clients wait. Also, new connections must not use up the descriptors before idle
# connections are closed.
_ACCEPTED_AT_ONCE: Final = 16


class Acceptors:
    """Makes a protocol for each connection to the listening sockets of one process.

    accepting ── close() ──> closed

    When a listening socket is closed, the kernel resets the connections that are not accepted yet, and a balancer
    counts each of them as a failed request. So `close` accepts them first. If other processes share the socket, it
    stays open until the last process has closed it. The worker owns this object.
    """

    def __init__(self, make_protocol: Callable[[], asyncio.Protocol], handshakes: Handshakes | None = None) -> None:
        self._make_protocol = make_protocol
        self._handshakes = handshakes
        self._accepting: list[tuple[asyncio.Server, socket.socket]] = []

    async def add(self, sock: socket.socket) -> None:
        """Accept connections from this socket, which `close` then closes."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._make_protocol, sock=sock, backlog=_ACCEPTED_AT_ONCE)
        sock.listen(BACKLOG)
        self._accepting.append((server, sock))

    async def close(self) -> None:
        """Close the sockets. A second call does nothing."""
        rest: list[socket.socket] = []
        await self._stop_accepting()
        while self._accepting:
            server, sock = self._accepting.pop()
            with sock.dup() as last:
                server.close()
                rest += _waiting_at(last)
        loop = asyncio.get_running_loop()
        for connection in rest:
            with suppress(OSError):  # the client has left
                await loop.connect_accepted_socket(self._make_protocol, connection)
        if self._handshakes is not None:
            await self._handshakes.settled()

    async def _stop_accepting(self) -> None:
        """Stop accepting, but let asyncio make the connections that it has accepted in this turn.

        A closed server of asyncio would drop these connections. uvloop makes each connection at once, and watches the
        sockets in another way, so that the removal has no effect.
        """
        loop = asyncio.get_running_loop()
        for _, sock in self._accepting:
            loop.remove_reader(sock)
        await asyncio.sleep(0)


def _waiting_at(sock: socket.socket) -> list[socket.socket]:
    """Accept the connections that wait at a socket, until there are none or no descriptor is left."""
    found: list[socket.socket] = []
    with suppress(OSError):
        while len(found) < BACKLOG:
            connection, _ = sock.accept()
            connection.setblocking(False)
            found.append(connection)
    return found


@asynccontextmanager
async def accepting(
    http1: Http1Server, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None, *, proxy_protocol: bool
) -> AsyncIterator[Acceptors]:
    """Accept connections until the yielded object is closed. The end of the block ends unfinished handshakes."""
    make_protocol: Callable[[], asyncio.Protocol] = http1.connection
    handshakes: Handshakes | None = None
    async with AsyncExitStack() as cleanup:
        if tls is not None or proxy_protocol:
            preamble = ProxyPreamble(http1.limits.trusted_proxies, report) if proxy_protocol else None
            make_connection = partial(Negotiation, http1) if tls else http1.connection
            handshakes = Handshakes(make_connection, tls, http1.room, preamble=preamble)
            cleanup.push_async_callback(handshakes.close)
            make_protocol = handshakes.accepted
        acceptors = Acceptors(make_protocol, handshakes)
        cleanup.push_async_callback(acceptors.close)
        for sock in sockets:
            await acceptors.add(sock)
        yield acceptors
