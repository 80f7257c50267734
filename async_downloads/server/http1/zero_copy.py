"""Send regions of files from the page cache to sockets, by sendfile(2). The bytes do not pass through this process.

A writer sends only while the transport of its connection is empty and not closing. It waits in two cases:

    the socket is full, or other sockets have their turn    until `SocketReadiness` calls the writer
    the file is not cached                                  until a thread has brought the next bytes into the cache

`SocketReadiness` makes each call of sendfile in its callback. The task that sends a region wakes only at the end of the
region, because waking a task for each call would take more time than the call itself.
"""

import asyncio
import errno
import os
import select
import socket
import struct
import time
from functools import partial
from typing import Final, NoReturn

from ...errors import SourceTruncated
from ...open_file import NOT_BY_SENDFILE, FileRegion
from ...sources.opening import map_read_errors
from .flow_control import ClientDisconnected, FlowControl
from .readiness import SocketReadiness
from .region_transfer import RegionTransfer

__all__ = ["HAS_ZERO_COPY", "SendfileTurns", "ZeroCopyWriter"]


HAS_ZERO_COPY: Final = hasattr(select, "epoll") and hasattr(os, "sendfile")  # Linux
_ACKNOWLEDGED: Final = struct.Struct("120xQ")  # where TCP_INFO has it
_SLOW_BYTES: Final = 512 * 1024  # of one call to a client that is not known to be fast
_FAST_BYTES: Final = 4 * 1024 * 1024  # of one call to a fast client: about a millisecond
_CALL_SECONDS: Final = 0.002  # a call that takes longer is halved the next time
_READ_BYTES: Final = 256 * 1024  # of a file that sendfile does not take
_GONE: Final = {errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH}


class SendfileTurns:
    """The state that the writers of one event loop share: the turns of their sockets, and the size of a call."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ready: SocketReadiness = SocketReadiness(loop)
        self.call_bytes: int = _FAST_BYTES

    def called(self, count: int, seconds: float) -> None:
        """Adapt the size of the next call to the seconds that a call of `count` bytes took."""
        if seconds > _CALL_SECONDS:
            self.call_bytes = max(count // 2, _SLOW_BYTES)
        elif count >= self.call_bytes and seconds < _CALL_SECONDS / 2:
            self.call_bytes = min(2 * count, _FAST_BYTES)


class _UnsentLimit:
    """The limit of bytes that the kernel buffers for a client and has not sent yet (TCP_NOTSENT_LOWAT).

    The listening socket sets a low limit, so that the memory is enough for thousands of slow clients. A client that
    takes 2 MiB without a pause is fast: it gets no limit, because each wake-up takes time.
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
        """Record how many seconds the socket was full."""
        if seconds > self._PAUSE_SECONDS:
            self._calm = 0
            self._turn(fast=False)

    def took(self, count: int) -> None:
        """Record how many bytes the socket took."""
        self._calm += count
        self._turn(fast=self._calm >= self._CALM_BYTES)

    def _turn(self, *, fast: bool) -> None:
        if fast != self.fast and self._is_tcp:
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, self._NONE if fast else self._LOW)
        self.fast = fast


class ZeroCopyWriter:
    """Sends regions of files to the socket of one connection, which owns it.

        idle ──send──> sending ──region sent, or an error──> idle
                        │    ^
         bytes not cached    loaded

    While it sends, `_ended` is pending, and `_push` is called whenever the socket has room.
    """

    def __init__(self, flow: FlowControl, shared: SendfileTurns) -> None:
        self._flow = flow
        self._shared = shared
        self._socket: socket.socket = flow.transport.get_extra_info("socket")
        self._fd: int = self._socket.fileno()
        self._limit = _UnsentLimit(self._socket)
        self._taken = 0
        self._ended: asyncio.Future[None] | None = None  # of the region that is being sent
        self._has_sendfile = True  # the file system of that region
        self._full_since: float | None = None

    def acknowledged(self) -> int:
        """Return how many bytes the client's system has acknowledged since the connection was made.

        For a UNIX socket, return how many bytes the socket has taken. Return 0 when the connection is being closed.
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
        """Return the longest body that the transport takes with its head without waiting; -1 if it is not empty."""
        return self._flow.room()

    def lose(self) -> None:
        """End a `send`, because its socket is about to be closed, which the epoll does not report."""
        self._shared.ready.forget(self._fd)
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(ClientDisconnected())

    async def send(self, region: FileRegion) -> None:
        """Send a region; return when the socket has taken it.

        Raises ClientDisconnected if the client has left, SourceTruncated if the file has become too short,
        SourceChanged if it was written to in place, SourceError if it cannot be read.
        """
        transfer, self._has_sendfile = RegionTransfer(region), True
        await self._flow.flushed()
        await self._send_cached(transfer)
        while transfer.left and self._has_sendfile:
            await transfer.load()
            await self._send_cached(transfer)
        if transfer.left:
            await self._read_and_write(transfer)

    async def _send_cached(self, transfer: RegionTransfer) -> None:
        """Send until the next bytes are not cached. For a slow client, the first call is made at once."""
        self._flow.check()
        self._full_since, self._ended = None, asyncio.get_running_loop().create_future()
        push = partial(self._push, transfer, self._ended)
        if not self._limit.fast:
            push(0.0)
        if not self._ended.done():
            self._shared.ready.watch(self._fd, push)
        try:
            await self._ended
        finally:
            if not self._flow.lost:  # else the descriptor's number may already belong to another connection
                self._shared.ready.forget(self._fd)

    def _push(self, transfer: RegionTransfer, ended: "asyncio.Future[None]", ready_at: float) -> None:
        """Make one call, and complete `ended` if it was the last call. The socket has room since `ready_at`."""
        if ended.done():  # the sender was cancelled
            return
        try:
            if self._full_since is not None:
                self._limit.waited(ready_at - self._full_since)
            is_last = self._send_some(transfer)
        except Exception as error:  # noqa: BLE001 - the sender raises it
            ended.set_exception(error)
        else:
            if is_last:
                ended.set_result(None)

    def _send_some(self, transfer: RegionTransfer) -> bool:
        """Send the bytes that the socket takes at once. Return True after all bytes that need no wait for the disk."""
        self._flow.check()
        count = transfer.cached_bytes(self._shared.call_bytes if self._limit.fast else _SLOW_BYTES)
        if not count:
            return True
        began = time.monotonic()
        sent = self._sendfile(transfer, count)
        now = time.monotonic()
        if self._limit.fast and sent:
            self._shared.called(count, now - began)
        self._full_since = now if sent < count else None
        self._count(sent)
        transfer.offset += sent
        return not transfer.left or not self._has_sendfile

    def _sendfile(self, transfer: RegionTransfer, count: int) -> int:
        try:
            sent = os.sendfile(self._fd, transfer.file.fd, transfer.offset, count)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno not in NOT_BY_SENDFILE:
                self._fail(error, transfer.offset)
            self._has_sendfile = False
            return 0
        if not sent:
            raise SourceTruncated(f"the file ended at byte {transfer.offset}")
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

    async def _read_and_write(self, transfer: RegionTransfer) -> None:
        while transfer.left:
            count, offset = min(_READ_BYTES, transfer.left), transfer.offset
            with map_read_errors(f"reading from {offset}"):
                chunk = await transfer.file.read_from_disk(offset, count)
            self._flow.check()
            self._flow.transport.write(chunk)
            self._count(len(chunk))
            await self._flow.flushed()
            transfer.offset += len(chunk)
            if len(chunk) < count:
                raise SourceTruncated(f"the file ended at byte {transfer.offset}")
