"""One request and its response, in the form of ASGI."""

import asyncio
import logging
from typing import TYPE_CHECKING, Final, NoReturn

from ...access.signature_parameter import without_signature
from ...errors import DownloadError
from ...open_file import FileRegion
from ...sending import ZERO_COPY_SEND, Message, Scope
from ..content_length import bytes_left, short_body
from .flow_control import ClientDisconnected
from .request_head import ParsedHead
from .response_head import encode_lines
from .scope import request_scope
from .zero_copy import ZeroCopyWriter

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["AsgiCycle", "log_failure"]


_log: Final = logging.getLogger("async_downloads")
# A client that has only shut its sending side looks as if it had left, but still reads, for example `nc -N`.
_BEGIN_SECONDS: Final = 2.0  # in which a response to it must begin
_PROGRESS_SECONDS: Final = 60.0  # in which a response to it must send something: a client that has left resets it
_JOINED_BYTES: Final = 64 * 1024  # a body up to this size is copied behind its head: cheaper than a second call


class AsgiCycle:
    """A request and its response: the `scope`, `receive` and `send` of the app.

        request    `feed` takes the body from the connection, `receive` gives it to the app
        response   start ──> head is held ──body or region──> head and body are sent ──more_body=False──> complete

    The connection owns it, as `connection.cycle`, until the response is complete or the client has left. From then on,
    `receive` returns `http.disconnect`, and `send` raises ClientDisconnected.
    """

    __slots__ = (
        "_chunked", "_connection", "_content", "_delivered", "_doubt", "_left", "_may_have_left", "_no_body", "_seen",
        "_waiter", "awaits_continue", "body_comes", "complete", "head", "held", "keep_alive", "sent", "started",
        "status",
    )  # fmt: skip

    def __init__(self, connection: "Connection", head: ParsedHead) -> None:
        self._connection = connection
        self.head: ParsedHead = head
        self.keep_alive: bool = head.keep_alive
        self.awaits_continue: bool = head.expects_continue
        self.body_comes: bool = head.body_length != 0  # some of the request's body is still to come
        self._content = b""  # bytes of the body that `receive` has not returned yet
        self._delivered = False  # the app has the whole request
        self._waiter: asyncio.Future[None] | None = None
        self._doubt: asyncio.TimerHandle | None = None  # until `_look` at a client that has shut its side
        self._seen = 0  # bytes that were sent until then
        self._may_have_left = False
        self.started: bool = False
        self.held: bytes = b""  # the head of the response, until the first bytes of the body are sent
        self._no_body = self._chunked = False
        self._left: int | None = None  # bytes of the body that are still missing, by Content-Length
        self.sent: int = 0  # bytes of the body that the transport and the socket have accepted
        self.status: int | None = None
        self.complete: bool = False

    def scope(self) -> Scope:
        """Return the connection scope of ASGI 3."""
        return request_scope(self._connection.base_scope, self.head, self._connection.server.state)

    # -- the request

    @property
    def content_bytes(self) -> int:
        """How many bytes of the body wait for the app."""
        return len(self._content)

    def feed(self, content: bytes, *, body_comes: bool) -> None:
        """Take a part of the request's body."""
        self._content += content  # at most 64 KiB wait here
        self.body_comes, self.awaits_continue = body_comes, False
        self.wake()

    def wake(self) -> None:
        """Make `receive` check again whether it can return."""
        if self._doubt is not None and self._connection.cycle is not self:
            self._doubt.cancel()  # the timer would keep this cycle and its connection in memory for up to a minute
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> Message:
        """Return parts of the body, then `http.disconnect` when the client has left or the response is complete."""
        while not self._is_over():
            if not self._delivered and (self._content or not self.body_comes):
                content, self._content = self._content, b""
                self._delivered = not self.body_comes
                self._connection.pace_reading()
                return {"type": "http.request", "body": content, "more_body": self.body_comes}
            if self.awaits_continue and not self.started:
                self.awaits_continue = False
                self._connection.ask_for_body()
            if self._connection.at_eof and self._doubt is None:
                self._look_later()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return {"type": "http.disconnect"}

    def _look_later(self) -> None:
        seconds = _PROGRESS_SECONDS if self.started else _BEGIN_SECONDS
        self._doubt = asyncio.get_running_loop().call_later(seconds, self._look)
        self._seen = self._progress()

    def _look(self) -> None:
        """Find out whether a client that has shut its side has got something meanwhile; else it may have left."""
        if self._progress() > self._seen:
            self._look_later()
        else:
            self._may_have_left = True
            self.wake()

    def _progress(self) -> int:
        writer = self._connection.zero_copy
        return self.started + self.sent + (writer.acknowledged() if writer else 0)

    def _is_over(self) -> bool:
        """Whether the client no longer waits for a response.

        A request without the rest of its body gets no response.
        """
        is_cut = self._connection.at_eof and self.body_comes
        return self._connection.cycle is not self or is_cut or self._may_have_left

    # -- the response

    async def send(self, message: Message) -> None:
        """Send a part of the response; return when there is room for more.

        Raises ClientDisconnected if the client has left, RuntimeError if the message is not allowed now.
        """
        connection, kind = self._connection, message["type"]
        if connection.cycle is not self:
            raise ClientDisconnected
        connection.flow.check()
        if kind == "http.response.start" and not self.started:
            self._start(message)
            return
        if kind == "http.response.body" and self.started:
            self._write(self._framed(message.get("body", b"")))
        elif kind == ZERO_COPY_SEND and self.started and connection.zero_copy is not None:
            await self._send_region(connection.zero_copy, message)
        else:
            self._refuse(kind)
        more = message.get("more_body", False)
        if not more:
            self._end()
        if connection.flow.paused:
            await connection.flow.drained()
        if not more and connection.cycle is self:
            self.complete = True
            connection.response_complete(self)

    def _refuse(self, kind: str) -> NoReturn:
        if self.started:  # a middleware could complete the response although the app has failed
            self._connection.refuse(500)
        raise RuntimeError(f"{kind} cannot be sent now")

    def _start(self, message: Message) -> None:
        status, fields = int(message["status"]), message.get("headers", ())
        if offer := message.get(ZERO_COPY_SEND):
            offer.accept(fields)
        lines, length, closes, has_date = encode_lines(status, fields)
        connection, version = self._connection, self.head.version
        is_framed = status not in {204, 304}
        self._no_body = self.head.method == "HEAD" or not is_framed
        self._chunked = is_framed and length is None and version == "1.1"
        if not self._no_body:
            self._left = length
            closes |= length is None and not self._chunked  # the body ends with the connection
        framing = b"Transfer-Encoding: chunked\r\n" if self._chunked else b""
        self.keep_alive = self.keep_alive and not closes and connection.can_go_on(self)
        if not self.keep_alive:
            framing += b"Connection: close\r\n"
        elif version == "1.0":
            framing += b"Connection: keep-alive\r\n"
        self.status = status
        self.held = b"%s%s%s\r\n" % (lines, b"" if has_date else connection.server.date_line(), framing)
        self.started = True

    def _framed(self, body: bytes) -> bytes:
        if self._no_body or not body:
            return b""
        self._count(len(body))
        return b"%x\r\n%b\r\n" % (len(body), body) if self._chunked else body

    def _count(self, size: int) -> None:
        """Count bytes of the body, which may not be longer than its Content-Length."""
        self._left = bytes_left(self._left, size)
        self.sent += size

    async def _send_region(self, writer: ZeroCopyWriter, message: Message) -> None:
        region = FileRegion(message["file"], message["offset"], message["count"])
        if offer := message.get(ZERO_COPY_SEND):
            offer.arrived()
        if self._no_body or not region.size:
            return
        self._count(region.size)
        self._write(b"%x\r\n" % region.size if self._chunked else b"")
        before = writer.taken()
        try:
            await writer.send(region)
        except BaseException:
            self.sent -= before + region.size - writer.taken()
            raise
        if self._chunked:
            self._write(b"\r\n")

    def refuse(self, status: int) -> bool:
        """Record that the server responds with a status instead of the app; return False if the app has begun."""
        if self.started and not self.held:
            return False
        self.status, self.complete = status, True
        return True

    def _end(self) -> None:
        if self._left:
            raise short_body(self._left)
        if self._chunked and not self._no_body:
            self._write(b"0\r\n\r\n")
        elif self.held:
            self._write(b"")

    def _write(self, data: bytes) -> None:
        """Write bytes, and before them the head, if it is still held."""
        held, self.held = self.held, b""
        transport = self._connection.flow.transport
        if len(data) <= _JOINED_BYTES:
            data = held + data if held else data
        elif held:
            transport.write(held)
        if data:
            transport.write(data)


def log_failure(head: ParsedHead, task: "asyncio.Task[None]") -> None:
    """Log the error that ended the app, unless the client has left. A DownloadError was already logged."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, (ClientDisconnected, DownloadError)):
        _log.error("%s %r failed", head.method, without_signature(head.target).decode("latin-1"), exc_info=error)
