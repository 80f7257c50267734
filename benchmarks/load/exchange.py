"""Request after request on keep-alive connections; the time of each response is recorded.

At the end of the time no request is sent any more, but the driver waits for the running ones: a slow response counts
like any other, and the next case starts with an idle server.
"""

import itertools
import selectors
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.load.downloads import BUFFER
from benchmarks.load.messages import Head, connect, parse_head
from benchmarks.servers.base import HOST

__all__ = ["Tally", "exchange"]


@dataclass(slots=True)
class Tally:
    """Seconds that each expected response took, and the number of failed or unexpected ones."""

    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    seconds: float = 0.0

    @property
    def requests(self) -> int:
        """Return the number of expected responses."""
        return len(self.latencies)


class Exchange:
    """One connection, opened again whenever the server closes it. It is ``waiting`` for a response, or idle."""

    def __init__(
        self, port: int, host: str, messages: Iterator[bytes], status: int, tally: Tally, *, fresh: bool
    ) -> None:
        self._port = port
        self._host = host
        self._messages = messages
        self._status = status
        self._tally = tally
        self._fresh = fresh
        self.reopen()

    def reopen(self) -> None:
        """Open a new connection."""
        self._opened: float | None = time.perf_counter()
        self.connection = connect(self._port, self._host)
        self.waiting = False

    def ask(self) -> None:
        """Send the next request. The time of the first one on a connection includes the TCP handshake."""
        self._head: Head | None = None
        self._start = b""
        self._missing = 0
        self.waiting = True
        self._asked = self._opened or time.perf_counter()
        self._opened = None
        self.connection.sendall(next(self._messages))

    def read(self, buffer: memoryview) -> bool:
        """Read the bytes that have come; return False if the server closes the connection after this response."""
        count = self.connection.recv_into(buffer)
        if not count:
            raise ConnectionResetError
        if self._head is None:
            count = self._read_head(buffer[:count])
        self._missing -= count
        if self._head is None or self._missing > 0:
            return True
        return self._finish(self._head)

    def _read_head(self, data: memoryview) -> int:
        """Return how many of the bytes belong to the body."""
        self._start += data
        self._head = parse_head(self._start)
        if self._head is None:
            return 0
        if self._head.length is None:  # the body of a file has a length; a chunked one is an error
            raise ConnectionResetError
        self._missing = self._head.length
        return len(self._start) - self._head.size

    def fail(self) -> None:
        """Count a response that did not come, or an unexpected one."""
        self._tally.errors += 1

    def _finish(self, head: Head) -> bool:
        self.waiting = False
        if head.status == self._status and self._missing == 0:
            self._tally.latencies.append(time.perf_counter() - self._asked)
        else:
            self.fail()
        return not (head.close or self._fresh)


class Driver:
    """All connections of one exchange."""

    def __init__(self, exchanges: Sequence[Exchange], *, until: float, limit: float) -> None:
        self._exchanges = exchanges
        self._until = until
        self._limit = limit
        self._buffer = memoryview(bytearray(BUFFER))

    def run(self) -> None:
        """Send requests until the time is over, then wait for the running ones until the limit."""
        with selectors.EpollSelector() as selector:
            for each in self._exchanges:
                selector.register(each.connection, selectors.EVENT_WRITE, each)
            while selector.get_map() and time.perf_counter() < self._limit:
                for key, events in selector.select(0.05):
                    self._step(selector, key.data, events)
        for each in self._exchanges:
            each.connection.close()

    def _step(self, selector: selectors.BaseSelector, each: Exchange, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                each.ask()
                selector.modify(each.connection, selectors.EVENT_READ, each)
            elif not each.read(self._buffer):
                self._renew(selector, each)
            elif not each.waiting:
                self._go_on(selector, each)
        except BlockingIOError:
            pass
        except OSError:
            each.fail()
            self._renew(selector, each)

    def _go_on(self, selector: selectors.BaseSelector, each: Exchange) -> None:
        if time.perf_counter() < self._until:
            each.ask()
        else:
            selector.unregister(each.connection)

    def _renew(self, selector: selectors.BaseSelector, each: Exchange) -> None:
        selector.unregister(each.connection)
        each.connection.close()
        if time.perf_counter() < self._until:
            each.reopen()
            selector.register(each.connection, selectors.EVENT_WRITE, each)


def exchange(
    port: int,
    messages: Sequence[bytes],
    *,
    status: int,
    connections: int,
    seconds: float,
    limit: float,
    host: str = HOST,
    fresh: bool = False,
) -> Tally:
    """Send the messages in turn over ``connections`` for ``seconds``, and count the responses with ``status``.

    With ``fresh`` each request has a new connection.
    """
    tally = Tally()
    turn = itertools.cycle(messages)
    exchanges = [Exchange(port, host, turn, status, tally, fresh=fresh) for _ in range(connections)]
    start = time.perf_counter()
    Driver(exchanges, until=start + seconds, limit=start + max(seconds, limit)).run()
    tally.seconds = time.perf_counter() - start
    return tally
