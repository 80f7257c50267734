"""Regions of files on their way from the page cache to sockets, by sendfile(2): no byte passes through this process.

A writer sends only while the transport of its connection holds nothing and has not begun to close. Three things make
it wait:

    the socket is full          until `SocketReadiness` reports room
    the file is not cached      until a thread has brought the next bytes into the page cache
    other fast clients wait     until `FairTurns` gives it a turn
"""

import asyncio
import errno
import os
import select
import socket
import struct
from typing import Final, NoReturn

from ...errors import SourceTruncated
from ...open_file import FileRegion, OpenFile
from ...sources.growing_files import SentVersion
from ...sources.opening import map_read_errors
from .flow_control import ClientDisconnected, FlowControl
from .readiness import FairTurns, SocketReadiness

__all__ = ["AVAILABLE", "SendfileTurns", "ZeroCopyWriter"]


AVAILABLE: Final = hasattr(select, "epoll") and hasattr(os, "sendfile")  # Linux
_ACKNOWLEDGED: Final = struct.Struct("120xQ")  # where TCP_INFO has it
_SLOW_BYTES: Final = 512 * 1024  # of one call to a client that has not been seen to be fast
_FAST_BYTES: Final = 4 * 1024 * 1024  # of one call to a fast client: about a millisecond
_CALL_SECONDS: Final = 0.002  # a call that takes longer is halved the next time
_FAST_CALLS: Final = 2  # calls to fast clients in one turn of the loop
_COLD_BYTES: Final = 4 * 1024 * 1024  # what a thread brings into the page cache at a time
_READ_BYTES: Final = 256 * 1024  # of a file that sendfile does not take
_GONE: Final = {errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH}
_NOT_BY_SENDFILE: Final = {errno.EINVAL, errno.ESPIPE, errno.ENOSYS, errno.EOPNOTSUPP}


class SendfileTurns:
    """What the writers of one event loop share: who is ready, whose turn it is, and how large a call may be."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ready: SocketReadiness = SocketReadiness(loop)
        self.turns: FairTurns = FairTurns(_FAST_CALLS)
        self.call_bytes: int = _FAST_BYTES

    def called(self, count: int, seconds: float) -> None:
        """Fit the size of the next call to how long one of `count` bytes took."""
        if seconds > _CALL_SECONDS:
            self.call_bytes = max(count // 2, _SLOW_BYTES)
        elif count >= self.call_bytes and seconds < _CALL_SECONDS / 2:
            self.call_bytes = min(2 * count, _FAST_BYTES)


class _UnsentLimit:
    """How much the kernel holds for a client beyond what is on its way (TCP_NOTSENT_LOWAT).

    The listening socket sets a low limit, so that there is memory for thousands of slow clients. A client that takes
    2 MiB without a pause is fast: it has no limit, since each wake-up costs it more than the memory is worth.
    """

    _LOW: Final = 96 * 1024
    _NONE: Final = -1
    _CALM_BYTES: Final = 2 * 1024 * 1024
    _PAUSE_SECONDS: Final = 0.1

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._is_tcp = connection.family != socket.AF_UNIX
        self._calm = 0
        self.fast = False

    def waited(self, seconds: float) -> None:
        """Note how long the socket was full."""
        if seconds > self._PAUSE_SECONDS:
            self._calm = 0
            self._turn(fast=False)

    def took(self, count: int) -> None:
        """Note how many bytes the socket took."""
        self._calm += count
        self._turn(fast=self._calm >= self._CALM_BYTES)

    def _turn(self, *, fast: bool) -> None:
        if fast != self.fast and self._is_tcp:
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, self._NONE if fast else self._LOW)
        self.fast = fast


class ZeroCopyWriter:
    """The way from files to one connection's socket. It belongs to the connection."""

    def __init__(self, flow: FlowControl, shared: SendfileTurns) -> None:
        self._flow = flow
        self._shared = shared
        self._socket: socket.socket = flow.transport.get_extra_info("socket")
        self._fd: int = self._socket.fileno()
        self._limit = _UnsentLimit(self._socket)
        self._taken = 0

    def acknowledged(self) -> int:
        """Return how many bytes the client's system has taken since the connection was made.

        Of a Unix socket it is what the socket has taken; 0 when the connection is being closed.
        """
        if self._flow.lost or self._flow.transport.is_closing():
            return 0
        if self._socket.family == socket.AF_UNIX:
            return self._taken
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.size)
        return int(_ACKNOWLEDGED.unpack(info)[0])

    def taken(self) -> int:
        """Return how many bytes of regions the socket has taken since the connection was made."""
        return self._taken

    def room(self) -> int:
        """Return up to how long a body is taken with its head without a wait; -1 if there is no room."""
        return self._flow.room()

    def lose(self) -> None:
        """Wake a `send` that waits: its socket is about to be closed, which no epoll reports."""
        self._shared.ready.wake(self._fd)

    async def send(self, region: FileRegion) -> None:
        """Send a region; return when the socket has taken it.

        Raises ClientDisconnected; SourceTruncated if the file has become too short, SourceChanged if it was written to
        in place, SourceError if it cannot be read.
        """
        file, offset, size = region
        stop, cached = offset + size, offset  # up to `cached` nothing has to be waited for
        version = SentVersion(file)  # the source has just checked it
        await self._flow.flushed()
        while offset < stop:
            version.check(offset)
            count = min(stop - offset, await self._next_size())
            if offset >= cached:
                cached = offset + await self._bring_into_cache(file, offset, count, stop)
            count = min(count, cached - offset)
            sent = self._sendfile(file, offset, count)
            if sent is None:
                await self._read_and_write(file, offset, stop)
                return
            offset += sent
            if sent < count:
                await self._wait_for_room()
            elif not self._limit.fast:  # a fast client waits for its turn
                await asyncio.sleep(0)

    async def _next_size(self) -> int:
        """Wait for a turn; return how many bytes one call may send."""
        if not self._limit.fast:
            return _SLOW_BYTES
        await self._shared.turns.come()
        return self._shared.call_bytes

    async def _bring_into_cache(self, file: OpenFile, offset: int, count: int, stop: int) -> int:
        """Return how many bytes from `offset` are in the page cache: the loop must not wait for a disk."""
        if file.is_cached(offset, count):
            return count
        count = min(stop - offset, _COLD_BYTES)
        with map_read_errors(f"reading from {offset}"):
            await file.bring_into_cache(offset, count)
        return count

    def _sendfile(self, file: OpenFile, offset: int, count: int) -> int | None:
        """Send what the socket takes at once; return None if the file system has no sendfile."""
        self._flow.check()
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            sent = os.sendfile(self._fd, file.fd, offset, count)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno in _NOT_BY_SENDFILE:
                return None
            self._fail(error, offset)
        if not sent:
            raise SourceTruncated(f"the file ended at byte {offset}")
        if self._limit.fast:
            self._shared.called(count, loop.time() - began)
        self._count(sent)
        return sent

    def _fail(self, error: OSError, offset: int) -> NoReturn:
        if error.errno in _GONE:
            self._flow.transport.abort()  # sendfile took the socket's error, so the transport has not seen it
            raise ClientDisconnected from error
        with map_read_errors(f"reading from {offset}"):
            raise error

    def _count(self, sent: int) -> None:
        self._taken += sent
        self._limit.took(sent)

    async def _wait_for_room(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._shared.ready.wait(self._fd)
        self._limit.waited(loop.time() - began)

    async def _read_and_write(self, file: OpenFile, offset: int, stop: int) -> None:
        while offset < stop:
            count = min(_READ_BYTES, stop - offset)
            with map_read_errors(f"reading from {offset}"):
                chunk = await file.read_from_disk(offset, count)
            self._flow.check()
            self._flow.transport.write(chunk)
            self._count(len(chunk))
            await self._flow.flushed()
            offset += len(chunk)
            if len(chunk) < count:
                raise SourceTruncated(f"the file ended at byte {offset}")
