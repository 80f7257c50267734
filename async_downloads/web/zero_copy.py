"""Sending a file without reading it: the kernel copies from its page cache to the socket.

Parts of the file are mapped into memory and that memory is written to the socket. What the socket does not take stays
in the page cache, so a slow client costs no memory of ours; `sendfile` would hand the network single pages, which
costs more than copying them.

The mapping is for the kernel's eyes only. Pages of a file that has shrunk are an error code for `write`; were Python to
look at them, they would be a SIGBUS.
"""

import asyncio
import errno
import mmap
import os
import select
import socket
import sys
from collections import OrderedDict
from typing import Any, Final
from weakref import WeakKeyDictionary

from ..errors import SourceTruncated
from ..fileio import OpenFile

__all__ = ["Lane"]

_WITHOUT_DESCRIPTOR: Final[dict[str, Any]] = {"trackfd": False} if sys.version_info >= (3, 13) else {}
_Key = tuple[int, int, int]  # device, inode, number of the segment


class _Segment:
    """A mapped part of a file."""

    __slots__ = ("_map", "used", "view")

    SIZE: Final = 64 * 1024 * 1024  # taking one away keeps the loop waiting for a millisecond

    def __init__(self, fd: int, number: int) -> None:
        start = number * self.SIZE
        size = min(self.SIZE, os.fstat(fd).st_size - start)
        self._map = mmap.mmap(fd, size, prot=mmap.PROT_READ, offset=start, **_WITHOUT_DESCRIPTOR)
        self._map.madvise(mmap.MADV_RANDOM)  # reading ahead is for those who wait for the disk, not for the event loop
        self.view = memoryview(self._map)
        self.used = 0.0  # when that was, in the loop's time

    def close(self) -> None:
        self.view.release()
        self._map.close()


class _Segments:
    """The parts of files that are mapped: those used lately, since mapping is as dear as reading, and only so many.

    An idle one is taken away soon: until then a deleted file keeps its place on the disk.
    """

    _MOST: Final = 64
    _IDLE: Final = 0.4  # seconds

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._segments: OrderedDict[_Key, _Segment] = OrderedDict()

    def write(self, file: OpenFile, offset: int, count: int, target: int) -> int | None:
        """Write to a descriptor what it takes of `count` bytes, at most to the end of a segment.

        None if the file does not reach that far any more.
        """
        number, begin = divmod(offset, _Segment.SIZE)
        try:
            segment = self._segment((file.status.st_dev, file.status.st_ino, number), begin, file.fd)
            return os.write(target, segment.view[begin : begin + count])
        except BlockingIOError:
            return 0
        except (OverflowError, ValueError):  # there is nothing to map
            return None
        except OSError as error:
            if error.errno != errno.EFAULT:
                raise
            return None

    def _segment(self, key: _Key, begin: int, fd: int) -> _Segment:
        found = self._segments.pop(key, None)
        if found is None or begin >= len(found.view):  # the file has grown since
            if not self._segments:
                self._loop.call_later(self._IDLE, self._sweep)
            found = _Segment(fd, key[-1])
        found.used = self._loop.time()
        self._segments[key] = found  # the last one
        if len(self._segments) > self._MOST:
            self._segments.popitem(last=False)[1].close()
        return found

    def _sweep(self) -> None:
        """Take away the idle, and look again while there are others."""
        oldest = self._loop.time() - self._IDLE
        while self._segments and next(iter(self._segments.values())).used <= oldest:
            self._segments.popitem(last=False)[1].close()
        if self._segments:
            self._loop.call_later(self._IDLE, self._sweep)


class _Room:
    """Tells when a socket that belongs to a transport has room; asyncio itself tells only the transport.

    The kernel says so when half of what it may hold back (`TCP_NOTSENT_LOWAT`) has gone, where a write that is tried
    too soon would be taken in crumbs.
    """

    _ONCE: Final = select.EPOLLOUT | select.EPOLLONESHOT

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        loop.add_reader(self._epoll.fileno(), self._look)

    async def wait(self, fd: int) -> None:
        """Return when the socket has room, or an error to tell."""
        self._waiting[fd] = future = self._loop.create_future()
        try:
            self._epoll.modify(fd, self._ONCE)
        except FileNotFoundError:
            self._epoll.register(fd, self._ONCE)
        await future

    def _look(self) -> None:
        for fd, _ in self._epoll.poll(0):
            future = self._waiting.pop(fd, None)
            if future is not None and not future.done():
                future.set_result(None)


class _Shared:
    """What all connections of a loop have in common."""

    _ROUND: Final = 8 * 1024 * 1024
    _LEAST: Final = 128 * 1024

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.segments = _Segments(loop)
        self.room = _Room(loop)
        self.sending = 0

    @property
    def share(self) -> int:
        """How many bytes one connection may send in its turn, so that no turn of all takes long."""
        return max(self._LEAST, self._ROUND // self.sending)


_shared: "Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared]]" = WeakKeyDictionary()


def _shared_by(loop: asyncio.AbstractEventLoop) -> _Shared:
    if loop not in _shared:
        _shared[loop] = _Shared(loop)
    return _shared[loop]


class _Tide:
    """How much the kernel may hold back for a client: little for a slow one, so that there is memory for thousands."""

    _LOW: Final = 96 * 1024
    _HIGH: Final = 1024 * 1024
    _CALM: Final = 2 * 1024 * 1024
    _WAIT: Final = 0.1  # seconds

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._is_tcp = connection.family != socket.AF_UNIX
        self._calm = 0
        self._high = False

    def took(self, count: int, seconds: float) -> None:
        """Note that the client took so many bytes after a wait of so many seconds."""
        self._calm = 0 if seconds > self._WAIT else self._calm + count
        if self._is_tcp and self._high != (self._calm >= self._CALM):
            self._high = not self._high
            size = self._HIGH if self._high else self._LOW
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, size)


class Lane:
    """The way from a file to a socket, beside a stream writer that has the socket."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        connection = writer.get_extra_info("socket")
        self._fd: int = connection.fileno()
        self._tide = _Tide(connection)
        self._shared = _shared_by(self._loop)

    async def send(self, file: OpenFile, offset: int, count: int) -> None:
        """Send that many bytes of a file; return when the socket has taken them."""
        await self._emptied()
        began = self._loop.time()
        self._shared.sending += 1
        try:
            await self._send(file, offset, offset + count)
        finally:
            self._shared.sending -= 1
        self._tide.took(count, self._loop.time() - began)

    async def _send(self, file: OpenFile, offset: int, stop: int) -> None:
        while offset < stop:
            size = min(stop - offset, self._shared.share)
            taken = self._push(file, offset, size)
            if taken is None:
                taken = await self._carry(file, offset, stop - offset)
            elif taken < size:
                await self._shared.room.wait(self._fd)
            elif offset + taken < stop:
                await asyncio.sleep(0)
            offset += taken

    def _push(self, file: OpenFile, offset: int, count: int) -> int | None:
        """Write what the socket takes at once; None where that would be waiting for the disk."""
        if self._writer.transport.is_closing():  # the number of its descriptor may be another connection's by now
            raise ConnectionResetError
        return self._shared.segments.write(file, offset, count, self._fd) if file.is_cached(offset, count) else None

    async def _carry(self, file: OpenFile, offset: int, count: int) -> int:
        """Read what there is and write that."""
        chunk = await file.read_from_disk(offset, count)
        if not chunk:
            raise SourceTruncated(f"the file ended at byte {offset}")
        self._writer.write(chunk)
        await self._emptied()
        return len(chunk)

    async def _emptied(self) -> None:
        """Wait until the writer holds nothing: what is written beside it would come first."""
        transport = self._writer.transport
        if transport.get_write_buffer_size():
            low, high = transport.get_write_buffer_limits()
            transport.set_write_buffer_limits(high=0)
            try:
                await self._writer.drain()
            finally:
                transport.set_write_buffer_limits(high, low)
