"""Whole downloads at full speed: the bytes are counted and not kept."""

import selectors
import time
from collections.abc import Sequence

from benchmarks.load.messages import Head, connect, parse_head, request
from benchmarks.servers.base import HOST

__all__ = ["BUFFER", "Download", "download"]

BUFFER = 256 * 1024  # bytes that fit the core's cache; reads of 1 MiB were slower
READS = 16  # of one connection before the next connection is read


class Download:
    """One response on its own connection."""

    def __init__(self, port: int, name: str, host: str) -> None:
        self.connection = connect(port, host)
        self.received = 0  # bytes of the body
        self.head: Head | None = None
        self.complete = False
        self._start = b""
        self._unsent = request(name)

    def ask(self) -> None:
        """Send the request; the connection must be writable."""
        self.connection.sendall(self._unsent)
        self._unsent = b""

    def read(self, buffer: memoryview) -> bool:
        """Read the bytes that have come; return False at the end of the response or of the connection."""
        try:
            for _ in range(READS):
                count = self.connection.recv_into(buffer)
                self._count(buffer[:count])
                if not count or self.complete:
                    return False
        except BlockingIOError:
            pass
        return True

    def _count(self, data: memoryview) -> None:
        self.received += len(data)
        if self.head is None:
            self._start += data
            self.head = parse_head(self._start)
            self.received = len(self._start) - self.head.size if self.head else 0
        self.complete = self.head is not None and self.received == self.head.length


def download(port: int, names: Sequence[str], *, deadline: float, host: str = HOST) -> list[Download]:
    """Fetch all files at the same time, each on its own connection, and stop at the deadline."""
    downloads = [Download(port, name, host) for name in names]
    buffer = memoryview(bytearray(BUFFER))
    with selectors.EpollSelector() as selector:
        for each in downloads:
            selector.register(each.connection, selectors.EVENT_WRITE, each)
        while selector.get_map() and time.monotonic() < deadline:
            for key, _ in selector.select(0.1):
                _step(selector, key.data, buffer)
    for each in downloads:
        each.connection.close()
    return downloads


def _step(selector: selectors.BaseSelector, each: Download, buffer: memoryview) -> None:
    try:
        if selector.get_key(each.connection).events == selectors.EVENT_WRITE:
            each.ask()
            selector.modify(each.connection, selectors.EVENT_READ, each)
        elif not each.read(buffer):
            _end(selector, each)
    except OSError:
        _end(selector, each)


def _end(selector: selectors.BaseSelector, each: Download) -> None:
    """Close at once: a server may serve the next client only then."""
    selector.unregister(each.connection)
    each.connection.close()
