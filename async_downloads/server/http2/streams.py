"""The streams of a connection. They begin with a request, and end with the response, a reset or a deadline."""

import math
from functools import partial
from typing import TYPE_CHECKING

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)

from ...sending import Scope
from ..http1.cycle import log_failure
from ..http1.request_head import BadRequest, Field
from .engine import MAX_STREAMS, Engine
from .frames import FrameBudget
from .request_fields import MalformedRequest, check_trailers, parse_fields, request_line
from .response_fields import response_fields
from .send_queue import SendQueue
from .stream import Stream

if TYPE_CHECKING:
    import asyncio

    from ..http1.server import Http1Server
    from .connection import Http2Connection

__all__ = ["Streams"]


class Streams:
    """All streams whose apps have not ended, by their numbers.

    A fault of one stream resets only this stream (RFC 9113 §5.4.2). If `closed` is True, no further requests are
    accepted. The connection owns this object, and becomes idle after the last stream.
    """

    def __init__(
        self, connection: "Http2Connection", engine: Engine, send_queue: SendQueue, budget: FrameBudget
    ) -> None:
        self.server: Http1Server = connection.server
        self.base_scope: Scope = connection.base_scope
        self.send_queue: SendQueue = send_queue
        self.last_id: int = 0
        self.closed: bool = False
        self._engine = engine
        self._budget = budget
        self._connection = connection
        self._streams: dict[int, Stream] = {}

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def deadline(self) -> float:
        """The earliest deadline of a stream."""
        return min((stream.deadline for stream in self._streams.values()), default=math.inf)

    def time_out(self) -> None:
        """End the streams that have passed their deadlines."""
        for stream in list(self._streams.values()):
            if stream.deadline < self.server.now:
                stream.time_out()

    def leave(self) -> None:
        """End all streams, because the connection ends."""
        for stream in list(self._streams.values()):
            self._over(stream)

    # -- what the client sends

    def handle(self, event: Event) -> None:
        """Handle an event of h2. Raises ConnectionFault if there were too many faults."""
        match event:
            case RequestReceived():
                self._begin(event.stream_id, body_comes=event.stream_ended is None)
            case DataReceived():
                self._feed(event.stream_id, event.data, event.flow_controlled_length)
            case TrailersReceived():
                self._check_trailers(event.stream_id)
            case StreamEnded():
                self._end_body(event.stream_id)
            case StreamReset():
                self._lose(event)
            case WindowUpdated() | RemoteSettingsChanged():
                self._windows_opened()

    def _windows_opened(self) -> None:
        for stream in list(self._streams.values()):
            self._run_if_open(stream)
        self.send_queue.wake_next()

    def _begin(self, stream_id: int, *, body_comes: bool) -> None:
        self.last_id = stream_id
        try:
            head = parse_fields(self._engine.decoder.fields, body_comes=body_comes)
        except MalformedRequest:
            self.reset(stream_id, ErrorCodes.PROTOCOL_ERROR, by_client=True)
            return
        except BadRequest as error:
            self.server.refuse(self.base_scope, request_line(self._engine.decoder.fields), error.status)
            self._respond(stream_id, error.status, body_comes=body_comes)
            return
        if self.closed or self._is_full():
            self.reset(stream_id, ErrorCodes.REFUSED_STREAM, by_client=not self.closed)
            return
        stream = self._streams[stream_id] = Stream(self, stream_id, head, body_comes=body_comes)
        self._run_if_open(stream)

    def _is_full(self) -> bool:
        """Whether there are too many streams. After a stream is over, its app may still run for some time."""
        count = len(self._streams)
        return count >= 2 * MAX_STREAMS or (
            count >= MAX_STREAMS and sum(not stream.over for stream in self._streams.values()) >= MAX_STREAMS
        )

    def _run_if_open(self, stream: Stream) -> None:
        if stream.running or stream.over or not (stream.head.method == "HEAD" or self.send_queue.is_open(stream)):
            return
        stream.running = True
        stream.waits_for_window(waits=False)
        self.server.run(stream, partial(self._app_ended, stream))

    def _feed(self, stream_id: int, data: bytes, window: int) -> None:
        stream = self.running(stream_id)
        if stream is None:
            self._engine.acknowledge_received_data(window, stream_id)
        elif not stream.feed(data, window):
            self.reset(stream_id, ErrorCodes.PROTOCOL_ERROR, by_client=True)

    def _check_trailers(self, stream_id: int) -> None:
        try:
            check_trailers(self._engine.decoder.fields)
        except MalformedRequest:
            self.reset(stream_id, ErrorCodes.PROTOCOL_ERROR, by_client=True)

    def _end_body(self, stream_id: int) -> None:
        stream = self.running(stream_id)
        if stream is not None and stream.body_comes and not stream.end_body():
            self.reset(stream_id, ErrorCodes.PROTOCOL_ERROR, by_client=True)

    def running(self, stream_id: int) -> Stream | None:
        """Return a stream that is not over, or None."""
        stream = self._streams.get(stream_id)
        return None if stream is None or stream.over else stream

    def _lose(self, event: StreamReset) -> None:
        stream = self.running(event.stream_id)
        if stream is not None:
            self._over(stream)
        if stream is None or not stream.sent:
            self._budget.spend(FrameBudget.RESET_COST, self.server.loop.time())

    # -- responses: called by streams

    def send_fields(self, stream: Stream, fields: list[Field], *, ends: bool) -> None:
        """Send the head of a response. Without `ends`, its body may still follow in the same write."""
        self._engine.send_fields(stream.id, fields, ends=ends)

    def response_complete(self, stream: Stream) -> None:
        """End a stream whose response is sent. The client need not send the rest of the body (RFC 9113 §8.1)."""
        self._budget.earn()
        if stream.body_comes:
            self._engine.reset_stream(stream.id, ErrorCodes.NO_ERROR)
            self._engine.flush()
        self._over(stream)

    def refuse(self, stream: Stream, status: int) -> None:
        """Respond with only a status."""
        self._respond(stream.id, status, body_comes=stream.body_comes)
        stream.status, stream.complete = status, True
        self._over(stream)

    def fail(self, stream: Stream) -> None:
        """Respond with 500, or reset the stream if its response has begun, so that the client notices the cut."""
        if stream.over:
            return
        if stream.responded:
            self.reset(stream.id, ErrorCodes.INTERNAL_ERROR)
        else:
            self.refuse(stream, 500)

    def reset(self, stream_id: int, code: ErrorCodes, *, by_client: bool = False) -> None:
        """Reset a stream that has failed. `by_client` says whether the client caused it. Raises ConnectionFault."""
        self._engine.reset_stream(stream_id, code)
        self._engine.flush()
        if (stream := self.running(stream_id)) is not None:
            self._over(stream)
        if by_client:
            self._budget.spend(FrameBudget.RESET_COST, self.server.loop.time())

    def acknowledge(self, stream: Stream, count: int) -> None:
        """Let the client send `count` more bytes, on this stream and on the connection."""
        self._engine.acknowledge_received_data(count, stream.id)
        self._engine.flush()

    def deadline_in(self, seconds: float) -> float:
        """Return the deadline that passes in some seconds, by the loop's clock."""
        return self.server.now + seconds

    def _respond(self, stream_id: int, status: int, *, body_comes: bool) -> None:
        fields, _ = response_fields(status, ((b"content-length", b"0"),), self.server.date_line())
        self._engine.send_fields(stream_id, fields, ends=True)
        if body_comes:
            self._engine.reset_stream(stream_id, ErrorCodes.NO_ERROR)
        self._engine.flush()

    def _app_ended(self, stream: Stream, task: "asyncio.Task[None]") -> None:
        log_failure(stream.head, task)
        self.fail(stream)
        self._forget(stream)

    def _over(self, stream: Stream) -> None:
        stream.leave()
        if not stream.running:
            self._forget(stream)

    def _forget(self, stream: Stream) -> None:
        if self._streams.pop(stream.id, None) is not None and not self._streams:
            self._connection.become_idle()
