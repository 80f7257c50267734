"""The server of one event loop: its connections share the app, the limits, the date and the clock."""

import asyncio
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import methodcaller
from typing import Any, Final

from ...semantics.dates import format_date
from ...sending import Scope
from ..limits.client_counter import ClientCounter
from ..proxies.proxy_protocol import NamedClient
from ..proxies.trusted import TrustedProxies
from ..request_observer import RequestObserver, observe_by
from .connection import Connection
from .interfaces import AnyConnection, Cycle
from .zero_copy import HAS_ZERO_COPY, SendfileTurns

__all__ = ["ConnectionLimits", "Http1Server"]


_Ended = Callable[[asyncio.Task[None]], object]
_EAGER: Final[dict[str, Any]] = {"eager_start": True} if sys.version_info >= (3, 12) else {}
_TICK_SECONDS: Final = 1.0
_ABORT_SECONDS: Final = 2.0
# A balancer may have sent a request before it could know that this server drains.
_LAST_REQUESTS_SECONDS: Final = 0.1
_REFUSED_AT_ONCE: Final = 64  # connections beyond the limit that get a response; further ones are aborted
_ENDED_A_TURN: Final = 64  # late or drained connections in one turn: ending thousands would block the loop


def _abort_beyond(most: int, count: int, connection: AnyConnection) -> None:
    """Abort a connection if even those that are refused are too many."""
    if count > most + _REFUSED_AT_ONCE:
        connection.flow.transport.abort()


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How long a connection may wait, in seconds, and how many connections are allowed.

    `header_timeout` is the time for a request's head, `keep_alive` the time between two requests. The default of
    `keep_alive` is longer than the 60 s of common load balancers, so that they close first. If there are
    `max_connections`, a new connection replaces the one that was idle longest; if all are busy, the new one gets 503.
    If a client has `max_connections_per_client`, its next connection gets 429; None means no limit. An IPv6 network
    (/64) counts as one client. For this limit, connections of `trusted_proxies` and UNIX sockets are not counted.
    """

    header_timeout: float = 30.0
    keep_alive: float = 75.0
    max_connections: int = 10_000
    max_connections_per_client: int | None = None
    trusted_proxies: TrustedProxies = TrustedProxies(())  # noqa: RUF009 - it does not change


class Http1Server:
    """Makes the connections, and ends those whose deadline has passed.

        listener = await loop.create_server(server.connection, sock=sock)
        server.drain()          # from now on connections close after their response
        await server.close()    # close idle connections, and wait for the last response
        await server.abort()    # end everything that still runs

    It belongs to the running loop. `state` is the state that the app filled in its lifespan. `observers` see all
    requests, also those that are refused before the app.
    """

    def __init__(
        self,
        app: Any,
        limits: ConnectionLimits,
        *,
        state: dict[str, Any] | None = None,
        observers: Sequence[RequestObserver] = (),
    ) -> None:
        self._app = app
        self.limits: ConnectionLimits = limits
        self._observers = observers
        self._observe = observe_by(observers)
        self.state: dict[str, Any] = state if state is not None else {}
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.now: float = self.loop.time()  # the time of the last tick, which is exact enough for deadlines
        self.draining: bool = False
        self._closing = False
        self._last_requests_until = self.now  # in the loop's time
        if HAS_ZERO_COPY:
            self.sendfile_turns: SendfileTurns = SendfileTurns(self.loop)
        self._connections: set[AnyConnection] = set()
        self._idle: OrderedDict[AnyConnection, None] = OrderedDict()  # the longest idle first
        self._by_client = ClientCounter(limits.max_connections_per_client, limits.trusted_proxies.trusts)
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty: asyncio.Event = asyncio.Event()
        self._second, self._date = 0, b""
        self._timer = self.loop.call_later(_TICK_SECONDS, self._tick)

    def connection(self, named: NamedClient | None = None) -> Connection:
        """Make the protocol of one connection, for `loop.create_server`; `named` is the client that a proxy names."""
        return Connection(self, named)

    # -- called by connections

    def refuse(self, scope: Scope, data: bytes, status: int) -> None:
        """Report to the observers a request that is refused before the app; `data` are the received bytes."""
        for observer in self._observers:
            observer.refused(scope, data, status)

    def admit(self, connection: AnyConnection) -> int | None:
        """Add a new connection. Return the status that refuses it if there are too many connections, else None.

        A refused connection stays until its client has read the response. At most 64 of them are allowed beyond a
        limit; further ones are aborted.
        """
        if beyond := self._by_client.add(connection.base_scope["client"]):
            self._connections.add(connection)
            _abort_beyond(0, beyond, connection)
            return 429
        is_full = len(self._connections) >= self.limits.max_connections
        self._connections.add(connection)
        if self._closing or (is_full and not self._idle):
            _abort_beyond(self.limits.max_connections, len(self._connections), connection)
            return 503
        if is_full:
            self._replace_idlest()
        self._idle[connection] = None
        return None

    def _replace_idlest(self) -> None:
        """Close the connection that was idle longest. It may flush its bytes, unless many others do this, too."""
        idlest, _ = self._idle.popitem(last=False)
        idlest.close()
        _abort_beyond(self.limits.max_connections, len(self._connections), idlest)

    def forget(self, connection: AnyConnection) -> None:
        """Remove a connection that is lost."""
        self._connections.discard(connection)
        self._by_client.remove(connection.base_scope["client"])
        self._idle.pop(connection, None)
        if not self._connections:
            self._empty.set()

    def mark_busy(self, connection: AnyConnection) -> None:
        """Record that a connection has a request."""
        self._idle.pop(connection, None)

    def mark_idle(self, connection: AnyConnection) -> None:
        """Record that a connection waits for a request."""
        self._idle[connection] = None

    def run(self, cycle: Cycle, ended: _Ended, *, at_once: bool = False) -> None:
        """Run the app for a request, and call `ended` when it has ended.

        With `at_once`, from Python 3.12 on, the app runs in this call until it first waits. Most apps never wait.
        """
        options, scope, observe = _EAGER if at_once else {}, cycle.scope(), self._observe
        started = time.monotonic() if observe else 0.0
        task = asyncio.Task(self._app(scope, cycle.receive, cycle.send), loop=self.loop, **options)
        if task.done():
            ended(task)
            if observe:
                observe(scope, cycle, started, task)
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(ended)
        if observe:
            task.add_done_callback(partial(observe, scope, cycle, started))

    def date_line(self) -> bytes:
        """Return the line of the Date field for the current second."""
        if (second := int(time.time())) != self._second:
            self._second, self._date = second, b"Date: %s\r\n" % format_date(second).encode()
        return self._date

    # -- called by the process

    def room(self) -> int:
        """Return how many more connections are allowed."""
        return self.limits.max_connections - len(self._connections)

    def drain(self) -> None:
        """Close each connection after its next response, or after 0.1 s if it has no request."""
        self.draining = True
        self._last_requests_until = self.loop.time() + _LAST_REQUESTS_SECONDS
        self.loop.call_later(_LAST_REQUESTS_SECONDS, self._drain_idle)

    def _drain_idle(self) -> None:
        close_idle = partial(self._call_in_turns, methodcaller("drain"), list(self._connections))
        self.loop.call_soon(self.loop.call_soon, close_idle)  # the loop reads sockets between the two

    async def close(self) -> None:
        """Close connections without a complete request, refuse new ones, and wait for the end of all others."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._last_requests_until):
                await self._emptied()
        self._closing = True  # a connection may have been accepted, and be made only after this call
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # now the loop has read every socket, as in `_drain_idle`
        for connection in list(self._connections):
            connection.close_if_unused()
        await self._emptied()

    async def _emptied(self) -> None:
        while self._connections:
            self._empty.clear()
            await self._empty.wait()

    async def abort(self) -> None:
        """End everything now. Apps are cancelled, and must end within 2 s."""
        for connection in list(self._connections):
            connection.flow.transport.abort()
        for task in self._tasks:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_ABORT_SECONDS):
                await asyncio.gather(self.close(), *self._tasks, return_exceptions=True)
        self._timer.cancel()
        if HAS_ZERO_COPY:
            self.sendfile_turns.ready.close()

    def _tick(self) -> None:
        """Find late connections once per second. A timer for each request would take more time."""
        self.now = self.loop.time()
        self._call_in_turns(self._end_if_late, [each for each in self._connections if each.deadline < self.now])
        self._timer = self.loop.call_later(_TICK_SECONDS, self._tick)

    def _end_if_late(self, connection: AnyConnection) -> None:
        if connection.deadline < self.now:  # it has waited for its turn, and the deadline may have changed
            connection.time_out()

    def _call_in_turns(self, end: Callable[[AnyConnection], object], connections: list[AnyConnection]) -> None:
        """Call a function for each connection: for 64 connections in each turn of the loop."""
        for connection in connections[:_ENDED_A_TURN]:
            end(connection)
        if rest := connections[_ENDED_A_TURN:]:
            self.loop.call_soon(self._call_in_turns, end, rest)
