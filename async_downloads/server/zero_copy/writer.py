"""Sending a file without reading it: the kernel copies from its page cache to the socket.

Parts of the file are mapped into memory and that memory is written to the socket. What the socket does not take stays
in the page cache, so a slow client costs no memory of ours; `sendfile` would hand the network single pages, which
costs more than copying them.
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
_ACKNOWLEDGED: Final = struct.Struct("120xQ")  # where TCP_INFO has it


class _Shared:
    """What all connections of a loop have in common. It does not hold the loop, which would then never be freed."""

    _WRITES: Final = 2  # large ones in one turn of the loop: two milliseconds

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.segments = MappedFiles()
        self.room = SocketReadiness(loop)
        self.turns = FairTurns(self._WRITES)


_shared: "Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared]]" = WeakKeyDictionary()


def _shared_by(loop: asyncio.AbstractEventLoop) -> _Shared:
    if loop not in _shared:
        _shared[loop] = _Shared(loop)
    return _shared[loop]


class _UnsentLimit:
    """How much the kernel may hold back for a client: little for a slow one, so that there is memory for thousands."""

    _LOW: Final = 96 * 1024
    _HIGH: Final = 2 * 1024 * 1024
    _CALM: Final = 2 * 1024 * 1024
    _WAIT: Final = 0.1  # seconds

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._is_tcp = connection.family != socket.AF_UNIX
        self._calm = 0
        self.high = False

    def waited(self, seconds: float) -> None:
        """Note that the client needed so long to take something."""
        if seconds > self._WAIT:
            self._calm = 0
            self._turn(high=False)

    def took(self, count: int) -> None:
        """Note that the client took so many bytes."""
        self._calm += count
        self._turn(high=self._calm >= self._CALM)

    def _turn(self, *, high: bool) -> None:
        if high != self.high and self._is_tcp:
            self.high = high
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, self._HIGH if high else self._LOW)


class ZeroCopyWriter:
    """The way from a file to a socket, beside a stream writer that has the socket."""

    _READ: Final = 256 * 1024  # bytes that are in memory at once, where the kernel has not cached them
    _SMALL: Final = 512 * 1024  # bytes of one write
    _LARGE: Final = 4 * 1024 * 1024  # the same, to a fast client: so long that it waits for its turn

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._transport: Any = writer.transport
        self._connection = writer.get_extra_info("socket")
        self._fd: int = self._connection.fileno()
        self._tide = _UnsentLimit(self._connection)
        self._shared = _shared_by(asyncio.get_running_loop())
        self._taken = 0
        protocol: Any = self._transport.get_protocol()
        self._lost = protocol.connection_lost
        protocol.connection_lost = self._lose

    def acknowledged(self) -> int:
        """Return how many bytes the client's system has taken since the connection was made.

        Of a connection within this system it is what the socket has.
        """
        if self._transport.is_closing():
            return 0
        if self._connection.family == socket.AF_UNIX:
            return self._taken
        info = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.size)
        return int(_ACKNOWLEDGED.unpack(info)[0])

    def taken(self) -> int:
        """Return how many bytes of regions the socket has taken since the connection was made."""
        return self._taken

    async def send(self, region: FileRegion) -> None:
        """Send a region; return when the socket has taken it.

        ConnectionError when the client has left, `SourceTruncated` when the file has become too short.
        """
        await self._empty()
        file, offset, size = region
        stop = offset + size
        while offset < stop:
            wanted = min(stop - offset, await self._next_size())
            taken = self._push(file, offset, wanted)
            if taken is None:
                taken = await self._carry(file, offset, wanted)
            offset += taken
            self._tide.took(taken)
            if taken < wanted:
                await self._wait()
            elif not self._tide.high:  # it did not wait for a turn
                await asyncio.sleep(0)

    async def _next_size(self) -> int:
        """Return how many bytes to write at once, when it is time to."""
        if not self._tide.high:
            return self._SMALL
        await self._shared.turns.come()
        return self._LARGE

    def _push(self, file: OpenFile, offset: int, count: int) -> int | None:
        """Write what the socket takes at once; None where that would be waiting for the disk."""
        self._check()
        view = self._shared.segments.find(file, offset) if file.is_cached(offset, count) else None
        if view is None:
            return None
        try:
            written = os.write(self._fd, view[:count])
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno == errno.EFAULT:
                return None
            raise ConnectionResetError from error
        self._taken += written
        return written

    async def _wait(self) -> None:
        with self._waiting():
            await self._shared.room.wait(self._fd)
        self._check()

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Note how long the client needed to take something."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        yield
        self._tide.waited(loop.time() - began)

    def _check(self) -> None:
        """Raise when the connection is being closed: its descriptor's number may be another connection's by now."""
        if self._transport.is_closing():
            raise ConnectionResetError

    async def _carry(self, file: OpenFile, offset: int, count: int) -> int:
        """Read all of it, and write that."""
        for begin in range(offset, offset + count, self._READ):
            wanted = min(self._READ, offset + count - begin)
            with map_os_errors(f"reading from {begin}"):
                chunk = await file.read_from_disk(begin, wanted)
            self._check()
            self._writer.write(chunk)
            self._taken += len(chunk)
            with self._waiting():
                await self._empty()
            if len(chunk) < wanted:
                raise SourceTruncated(f"the file ended at byte {begin + len(chunk)}")
        self._check()
        return count

    async def _empty(self) -> None:
        """Wait until the writer holds nothing: what is written beside it would come first."""
        if self._transport.get_write_buffer_size():
            low, high = self._transport.get_write_buffer_limits()
            self._transport.set_write_buffer_limits(high=0)
            try:
                await self._writer.drain()
            finally:
                if not self._transport.is_closing():
                    self._transport.set_write_buffer_limits(high, low)

    def _lose(self, error: Exception | None) -> None:
        self._shared.room.wake(self._fd)
        self._lost(error)
