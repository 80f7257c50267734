"""Send a file without reading it: the kernel copies from its page cache to the socket.

Parts of the file are mapped into memory, and that memory is written to the socket. The bytes that the socket does not
take stay in the page cache, so a slow client needs no memory of this process. `sendfile` would pass single pages to the
network stack, which costs more than copying them.
"""

import asyncio
import errno
import os
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

from ...errors import SourceTruncated
from ...open_file import FileRegion, OpenFile
from ...sources.files import map_os_errors
from ..http1.readiness import FairTurns, SocketReadiness
from .mapped_files import MappedFiles

__all__ = ["AVAILABLE", "ZeroCopyWriter"]


AVAILABLE: Final = hasattr(select, "epoll")  # Linux
_BYTES_ACKED: Final = struct.Struct("120xQ")  # the place of `tcpi_bytes_acked` in `struct tcp_info`


class _Shared:
    """What the connections of one loop share. It holds no reference to the loop, which would then never be freed."""

    _WRITES_PER_TURN: Final = 2  # large ones: they block the loop for two milliseconds

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.mapped_files = MappedFiles()
        self.readiness = SocketReadiness(loop)
        self.turns = FairTurns(self._WRITES_PER_TURN)


_shared: "Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared]]" = WeakKeyDictionary()


def _shared_by(loop: asyncio.AbstractEventLoop) -> _Shared:
    if loop not in _shared:
        _shared[loop] = _Shared(loop)
    return _shared[loop]


class _UnsentLimit:
    """How many unsent bytes the kernel buffers for a client (`TCP_NOTSENT_LOWAT`).

    The limit is low for a new or slow client, so that memory suffices for thousands. It becomes high when the client
    has taken 2 MiB without a long wait, and low again at the first long wait.
    """

    _LOW_BYTES: Final = 96 * 1024
    _HIGH_BYTES: Final = 2 * 1024 * 1024
    _FAST_BYTES: Final = 2 * 1024 * 1024  # taken without a long wait: the client is fast
    _LONG_WAIT_SECONDS: Final = 0.1

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._is_tcp = connection.family != socket.AF_UNIX
        self._since_wait = 0  # bytes that the client has taken since its last long wait
        self.high = False

    def waited(self, seconds: float) -> None:
        """Note how long the socket was not writable."""
        if seconds > self._LONG_WAIT_SECONDS:
            self._since_wait = 0
            self._set(high=False)

    def took(self, count: int) -> None:
        """Note that the socket took `count` bytes."""
        self._since_wait += count
        self._set(high=self._since_wait >= self._FAST_BYTES)

    def _set(self, *, high: bool) -> None:
        if high != self.high and self._is_tcp:
            self.high = high
            limit = self._HIGH_BYTES if high else self._LOW_BYTES
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limit)


class ZeroCopyWriter:
    """Writes regions of files to a socket that a stream writer and its transport own.

    It alternates between these states, one call of `send` at a time; the connection's `send_lock` sees to that:

        flushing   the transport still holds bytes of its own, which must be sent first
        writing    cached pages go to the socket from a mapping, in small or (for a fast client) in large writes
        waiting    the socket took less than offered: `SocketReadiness` reports when it is writable
        reading    pages are not cached: a thread reads them, and the transport sends them
        closed     the transport is closing; every method returns or raises ConnectionResetError

    The connection owns the writer; all of it runs on the event loop. The descriptor belongs to the transport, and after
    its close another connection may get the same number: so each use follows a check, without an await between.
    """

    _READ_BYTES: Final = 256 * 1024  # in memory at once, if the kernel has not cached the pages
    _SMALL_WRITE_BYTES: Final = 512 * 1024
    _LARGE_WRITE_BYTES: Final = 4 * 1024 * 1024  # to a fast client; it takes so long that it waits for a turn

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._transport: Any = writer.transport
        self._connection = writer.get_extra_info("socket")
        self._fd: int = self._connection.fileno()
        self._unsent_limit = _UnsentLimit(self._connection)
        self._shared = _shared_by(asyncio.get_running_loop())
        self._taken = 0
        protocol: Any = self._transport.get_protocol()
        self._protocol_connection_lost = protocol.connection_lost
        protocol.connection_lost = self._connection_lost

    def acknowledged(self) -> int:
        """Return how many bytes the client's system has acknowledged since the connection was opened.

        For a UNIX socket, return how many bytes the socket has taken. If the connection is closed, return 0.
        """
        if self._transport.is_closing():
            return 0
        if self._connection.family == socket.AF_UNIX:
            return self._taken
        info = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size)
        return int(_BYTES_ACKED.unpack(info)[0])

    def taken(self) -> int:
        """Return how many bytes of file regions the socket has taken since the connection was opened."""
        return self._taken

    async def send(self, region: FileRegion) -> None:
        """Send a region; return when the socket has taken it.

        Raises ConnectionError if the client has left, SourceTruncated if the file has become too short.
        """
        await self._flush()
        file, offset, size = region
        stop = offset + size
        while offset < stop:
            wanted = min(stop - offset, await self._next_size())
            taken = self._write_mapped(file, offset, wanted)
            if taken is None:
                taken = await self._read_and_write(file, offset, wanted)
            offset += taken
            self._unsent_limit.took(taken)
            if taken < wanted:
                await self._wait_writable()
            elif not self._unsent_limit.high:  # a fast client lets other tasks run when it waits for its turn
                await asyncio.sleep(0)

    async def _next_size(self) -> int:
        """Return how many bytes to write next; before a large write, wait for a turn."""
        if not self._unsent_limit.high:
            return self._SMALL_WRITE_BYTES
        await self._shared.turns.come()
        return self._LARGE_WRITE_BYTES

    def _write_mapped(self, file: OpenFile, offset: int, count: int) -> int | None:
        """Write cached bytes; return how many the socket took, or None if the kernel would have to read the disk."""
        self._check()
        view = self._shared.mapped_files.find(file, offset) if file.is_cached(offset, count) else None
        if view is None:
            return None
        try:
            written = os.write(self._fd, view[:count])
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno == errno.EFAULT:  # the file has shrunk: reading it tells by how much
                return None
            raise ConnectionResetError from error
        self._taken += written
        return written

    async def _wait_writable(self) -> None:
        with self._timed_wait():
            await self._shared.readiness.wait(self._fd)
        self._check()

    @contextmanager
    def _timed_wait(self) -> Iterator[None]:
        """Measure how long the client keeps us waiting."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        yield
        self._unsent_limit.waited(loop.time() - started)

    def _check(self) -> None:
        """Raise ConnectionResetError if the transport is closing: its descriptor may belong to another connection."""
        if self._transport.is_closing():
            raise ConnectionResetError

    async def _read_and_write(self, file: OpenFile, offset: int, count: int) -> int:
        """Read `count` bytes in a thread and write them through the transport; return `count`."""
        for begin in range(offset, offset + count, self._READ_BYTES):
            wanted = min(self._READ_BYTES, offset + count - begin)
            with map_os_errors(f"reading from {begin}"):
                chunk = await file.read_from_disk(begin, wanted)
            self._check()
            self._writer.write(chunk)
            self._taken += len(chunk)
            with self._timed_wait():
                await self._flush()
            if len(chunk) < wanted:
                raise SourceTruncated(f"the file ended at byte {begin + len(chunk)}")
        self._check()
        return count

    async def _flush(self) -> None:
        """Wait until the transport holds no bytes: what is written past it would overtake them."""
        if self._transport.get_write_buffer_size():
            low, high = self._transport.get_write_buffer_limits()
            self._transport.set_write_buffer_limits(high=0)
            try:
                await self._writer.drain()
            finally:
                if not self._transport.is_closing():
                    self._transport.set_write_buffer_limits(high, low)

    def _connection_lost(self, error: Exception | None) -> None:
        self._shared.readiness.wake(self._fd)
        self._protocol_connection_lost(error)
