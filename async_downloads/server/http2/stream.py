"""One request and its response on a stream of HTTP/2, in the form of ASGI."""

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final, NoReturn

from h2.errors import ErrorCodes

from ...errors import SourceTruncated
from ...sending import ZERO_COPY_SEND, Message, Scope
from ...sources.growing_files import SentVersion
from ...sources.opening import map_read_errors
from ..content_length import bytes_left, short_body
from ..http1.flow_control import ClientDisconnected
from ..http1.request_head import ParsedHead
from ..http1.scope import request_scope
from ..http1.states import BODY_SECONDS
from .response_fields import response_fields
from .send_queue import SLICE_BYTES

if TYPE_CHECKING:
    from .streams import Streams

__all__ = ["Stream"]


_WINDOW_SECONDS: Final = 300.0  # in which a client must open its window, if the app has no shorter limit
_COLD_BYTES: Final = 1024 * 1024  # that a thread brings into the page cache at a time
_BEGIN_SECONDS: Final = 30.0  # in which a client must open its window before the app runs


class Stream:
    """A request and its response: what the app gets as `scope`, `receive` and `send`.

        WAITING ──window opens──> RUNNING ──whole response──> over
           └───────── reset, deadline, connection lost ────────^

    The app does not run before the client has opened the window of the stream, so no file is opened for a client that
    reads nothing. Regions of files are read when windows open. `Streams` owns this object until the app has ended.
    After the stream is `over`, `receive` returns `http.disconnect`, and `send` raises ClientDisconnected.
    """

    def __init__(self, streams: "Streams", stream_id: int, head: ParsedHead, *, body_comes: bool) -> None:
        self.id: int = stream_id
        self.head: ParsedHead = head
        self.body_comes: bool = body_comes
        self._window_deadline, self._body_deadline = streams.deadline_in(_BEGIN_SECONDS), math.inf
        self.running: bool = False
        self.over: bool = False
        self.responded: bool = False  # the head of the response is sent
        self.status: int | None = None
        self.complete: bool = False
        self.sent: int = 0  # bytes of the response's body
        self._streams = streams
        self._send_queue = streams.send_queue
        self._content = bytearray()
        self._received = self._unacknowledged = 0
        self._expects_continue = head.expects_continue
        self._delivered = False
        self._waiter: asyncio.Future[None] | None = None
        self._start: tuple[int, Any] | None = None  # the head of the response, until the first bytes of the body
        self._started = self._no_body = False
        self._left: int | None = None  # bytes of the body that are still missing, by Content-Length
        self._taken = 0  # bytes of regions that were sent

    @property
    def deadline(self) -> float:
        """The time, by the loop's clock, at which the client is too late with the body or with its window."""
        return math.inf if self.over else min(self._body_deadline, self._window_deadline)

    def scope(self) -> Scope:
        """Return the connection scope of ASGI 3."""
        scope = request_scope(self._streams.base_scope, self.head, self._streams.server.state)
        functions = {"acknowledged": lambda: self.sent, "taken": lambda: self._taken, "room": lambda: -1}
        scope["extensions"] = {ZERO_COPY_SEND: functions}
        return scope

    def check(self) -> None:
        """Raise ClientDisconnected if nothing more can be sent."""
        if self.over:
            raise ClientDisconnected

    # -- the request

    def feed(self, content: bytes, window: int) -> bool:
        """Take a part of the body, which used `window` bytes of the window. Return False if the body is too long."""
        self._received += len(content)
        if self.head.body_length is not None and self._received > self.head.body_length:
            return False
        self._content += content
        self._unacknowledged += window
        if not content:
            self._acknowledge()
        self._wake()
        return True

    def end_body(self) -> bool:
        """Record that the body has ended. Return False if it is too short."""
        self.body_comes = False
        self._wake()
        return self.head.body_length in {None, self._received}

    def _wake(self) -> None:
        self._body_deadline = math.inf
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> Message:
        """Return parts of the body, then `http.disconnect` when the client has left or the response is complete."""
        while not self.over:
            if not self._delivered and (self._content or not self.body_comes):
                content, self._content = bytes(self._content), bytearray()
                self._delivered = not self.body_comes
                self._acknowledge()
                return {"type": "http.request", "body": content, "more_body": self.body_comes}
            if self.body_comes:
                self._await_body()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return {"type": "http.disconnect"}

    def _await_body(self) -> None:
        if self._expects_continue and not self.responded:
            self._expects_continue = False
            self._streams.send_fields(self, [(b":status", b"100")], ends=False)
        self._body_deadline = self._streams.deadline_in(BODY_SECONDS)

    def _acknowledge(self) -> None:
        count, self._unacknowledged = self._unacknowledged, 0
        if count:
            self._streams.acknowledge(self, count)

    def leave(self) -> None:
        """End the stream, because the client has reset it or the response is complete."""
        self.over = True
        self._content.clear()
        self._acknowledge()
        self._send_queue.drop(self)
        self._wake()

    def time_out(self) -> None:
        """End the stream, because the client does not send the body or does not open the window."""
        if self.body_comes and not self.responded and self.running:
            self._streams.refuse(self, 408)
        else:
            self._streams.reset(self.id, ErrorCodes.CANCEL)

    # -- the response

    def waits_for_window(self, *, waits: bool) -> None:
        """Set the deadline for a closed window, or remove all deadlines when the window is open."""
        if waits:
            self._window_deadline = self._streams.deadline_in(_WINDOW_SECONDS)
        else:
            self._window_deadline = self._body_deadline = math.inf

    async def send(self, message: Message) -> None:
        """Send a part of the response; return when there is room for more.

        Raises ClientDisconnected if the client has left, RuntimeError if the message is not allowed now.
        """
        self.check()
        kind, more = message["type"], message.get("more_body", False)
        if kind == "http.response.start" and not self._started:
            self._begin(message)
        elif kind == "http.response.body" and self._started:
            await self._send_body(message.get("body", b""), more=more)
        elif kind == ZERO_COPY_SEND and self._started:
            await self._send_region(message)
            if not more:
                await self._send_body(b"", more=False)
        else:
            self._refuse(kind)

    def _refuse(self, kind: str) -> NoReturn:
        if self._started:  # a middleware could complete the response although the app has failed
            self._streams.fail(self)
        raise RuntimeError(f"{kind} cannot be sent now")

    def _begin(self, message: Message) -> None:
        status, fields = int(message["status"]), message.get("headers", ())
        if offer := message.get(ZERO_COPY_SEND):
            offer.accept(fields)
        lines, length = response_fields(status, fields, self._streams.server.date_line())
        self._no_body = self.head.method == "HEAD" or status in {204, 304}
        self._left = None if self._no_body else length
        self.status = status
        self._start, self._started = (status, lines), True

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        if self._no_body:
            body = b""
        self._left = bytes_left(self._left, len(body))
        if not more and self._left:
            raise short_body(self._left)
        self._send_start(ends=not more and not body)
        if body:
            self._send_queue.hold(self, len(body))
            await self._push(memoryview(body), ends=not more)
        elif not more and not self.over:
            self._send_queue.write(self, memoryview(b""), ends=True)
        if not more:
            self._complete()
        elif body:  # the app makes the next part only when there is room for it
            self._send_queue.hold(self, 0)
            await self._send_queue.room(self, for_more=len(body))

    def _send_start(self, *, ends: bool) -> None:
        """Send the head, if it is not sent yet. With `ends` there is no body, and the response is complete."""
        if self._start is None:
            return
        (_, lines), self._start = self._start, None
        self.responded = True
        self._streams.send_fields(self, lines, ends=ends)
        if ends:
            self._complete()

    def _complete(self) -> None:
        if not self.over:
            self.complete = True
            self._streams.response_complete(self)

    async def _push(self, data: memoryview, *, ends: bool = False) -> None:
        """Send bytes when the windows are open."""
        while data:
            count = min(await self._send_queue.room(self), len(data))
            self.sent += count
            self._send_queue.write(self, data[:count], ends=ends and count == len(data))
            data = data[count:]
            self._send_queue.hold(self, len(data))
            if data or not ends:
                await asyncio.sleep(0)

    async def _send_region(self, message: Message) -> None:
        """Send a region. Its bytes are read only when the windows are open.

        Raises SourceTruncated if the file has become too short, SourceChanged if it was written to in place.
        """
        if offer := message.get(ZERO_COPY_SEND):
            offer.arrived()
        if self._no_body:
            return
        file, offset, size = message["file"], message["offset"], message["count"]
        self._left = bytes_left(self._left, size)
        self._send_start(ends=False)
        stop, version = offset + size, SentVersion(file)
        while offset < stop:
            count = min(stop - offset, await self._send_queue.room(self), SLICE_BYTES)
            version.check(offset)
            with map_read_errors(f"reading from {offset}"):
                data = file.read_cached(offset, count)
                if data is None:
                    self._send_queue.wake_next()
                    await file.bring_into_cache(offset, min(stop - offset, _COLD_BYTES))
                    data = await file.read_from_disk(offset, count)
            if len(data) < count:
                raise SourceTruncated(f"the file ended at byte {offset + len(data)}")
            await self._push(memoryview(data))
            self._taken += count
            offset += count
