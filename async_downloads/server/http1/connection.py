"""The connection of one client: an asyncio protocol. The only task is that of the app."""

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from ...sending import Scope
from ..proxies.proxy_protocol import NamedClient
from .cycle import AsgiCycle, log_failure
from .flow_control import FlowControl, PausableProtocol
from .request_head import BadRequest, parse_head
from .request_input import RequestInput
from .response_head import CONTINUE, encode_refusal
from .scope import base_scope
from .states import BODY_SECONDS, DISCARDED_BYTES, FLUSH_SECONDS, INPUT_BYTES, LINGER_SECONDS, State
from .zero_copy import HAS_ZERO_COPY, ZeroCopyWriter

if TYPE_CHECKING:
    from .server import Http1Server

__all__ = ["Connection"]


class Connection(PausableProtocol):
    """Reads requests one after another, and runs the app for each.

        IDLE ──byte──> HEAD ──empty line──> RUNNING ──response complete──> IDLE
         │              │                    │    └──> DISCARDING ──body ends──> IDLE
         └──> closed <──┴──> LINGERING <─────┘

    `State` describes the deadline of each state.

    LINGERING: our sending side is shut, and bytes that the client still sends are discarded. A close would reset the
    connection, and the client's system would discard the response (RFC 9112 §9.6).

    Requests that come while another one runs wait in `RequestInput`. If more than 64 KiB wait, the connection is not
    read. The server owns this object from `connection_made` to `connection_lost`.
    """

    def __init__(self, server: "Http1Server", named: NamedClient | None = None) -> None:
        self.server: Http1Server = server
        self._named = named  # the client that a proxy has named
        self.cycle: AsgiCycle | None = None
        self.at_eof: bool = False  # the client sends nothing more
        self.deadline: float = math.inf
        self._state = State.IDLE
        self._input = RequestInput()

    # -- called by the transport

    def connection_made(self, transport: Any) -> None:
        """Begin. The first request has the deadline of a head."""
        self.flow: FlowControl = FlowControl(transport)
        is_plain = transport.get_extra_info("ssl_object") is None
        writer = ZeroCopyWriter(self.flow, self.server.sendfile_turns) if HAS_ZERO_COPY and is_plain else None
        self.zero_copy: ZeroCopyWriter | None = writer
        self.base_scope: Scope = base_scope(transport, self.zero_copy, self._named)
        self._expire_in(self.server.limits.header_timeout)
        if status := self.server.admit(self):
            self._refuse_head(status)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self._state is State.LINGERING:
            return
        if self._input.in_body:
            self._take_body(data)
        elif self._state is State.RUNNING:
            self._input.waiting += data
            self.pace_reading()
        else:
            self._next_request(data)

    def eof_received(self) -> bool:
        """Return whether to keep our side open, so that requests still get responses. Over TLS this is impossible."""
        self.at_eof = True
        if self._state is State.LINGERING:
            self._expire_in(FLUSH_SECONDS)  # the connection closes now, and may still have bytes to send
        if self.cycle is not None:
            self.cycle.wake()
        has_request = self.cycle is not None or (self._state is State.IDLE and self._input.waiting != b"")
        return has_request and self.flow.transport.can_write_eof()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - a client may leave in any way
        """End everything that waits for the client."""
        self.flow.lose()
        if self.zero_copy is not None:
            self.zero_copy.lose()
        self.server.forget(self)
        self._leave_cycle()

    # -- requests

    def _next_request(self, data: bytes = b"") -> None:
        if self.cycle is not None or self._state is State.LINGERING or self.flow.transport.is_closing():
            return
        head = None
        try:
            head = self._input.take_head(data)
            if head is not None:
                self._run(AsgiCycle(self, parse_head(head)))
                return
        except BadRequest as error:
            self._refuse_head(error.status, head)
            return
        if self.at_eof:
            self.close()
        elif self._state is State.IDLE and self._input.in_head:
            self._enter(State.HEAD, self.server.limits.header_timeout)
        self.pace_reading()

    def _run(self, cycle: AsgiCycle) -> None:
        """Run the app for the head that was read, and give it the beginning of the body. Raises BadRequest."""
        self.server.mark_busy(self)
        self.cycle, self._state, self.deadline = cycle, State.RUNNING, math.inf
        if cycle.body_comes:
            content = self._input.begin_body(cycle.head.body_length)
            if content or not (cycle.awaits_continue and self._input.in_body):
                self._feed(cycle, content)
        self.server.run(cycle, partial(self._app_ended, cycle), at_once=True)

    def _take_body(self, data: bytes) -> None:
        try:
            content = self._input.take_body(data)
        except BadRequest as error:
            if self.cycle is not None:
                self.refuse(error.status)
            else:  # the request already has its response
                self._linger_or_close(expects_more=True)
            return
        if self.cycle is not None:
            self._feed(self.cycle, content)
        elif not self._input.in_body:
            self._become_idle()

    def _decode_more(self) -> None:
        if self._input.has_chunks:
            self._take_body(b"")

    def ask_for_body(self) -> None:
        """Send 100 (Continue), because the client waits for it before it sends the body (RFC 9110 §10.1.1)."""
        self._expire_in(BODY_SECONDS)
        self.flow.transport.write(CONTINUE)

    def _feed(self, cycle: AsgiCycle, content: bytes) -> None:
        """Give the app a part of a body."""
        self._expire_in(BODY_SECONDS if self._input.in_body else math.inf)
        cycle.feed(content, body_comes=self._input.in_body)
        if self._input.has_chunks:
            self.server.loop.call_soon(self._decode_more)
        self.pace_reading()

    def pace_reading(self) -> None:
        """Continue to read, or make the client wait if too many of its bytes are not taken yet."""
        held = len(self._input.waiting) + (self.cycle.content_bytes if self.cycle else 0)
        if held > INPUT_BYTES or self._input.has_chunks:
            self.flow.pause_reading()
        elif not self.at_eof:
            self.flow.resume_reading()

    # -- responses

    def can_go_on(self, cycle: AsgiCycle) -> bool:
        """Whether the connection can be used after this response: not if much of an unwanted body is still to come."""
        is_unsent = cycle.awaits_continue and self._input.in_body
        return not (self.server.draining or is_unsent or self._input.has_much_left(DISCARDED_BYTES))

    def response_complete(self, cycle: AsgiCycle) -> None:
        """Continue with the next request, or close."""
        self._leave_cycle()
        if not cycle.keep_alive:
            self._linger_or_close()
        elif self._input.in_body and not self.at_eof:
            self._enter(State.DISCARDING, BODY_SECONDS)
        else:
            self._become_idle()
        if not self.flow.reads:  # fewer bytes wait now, so reading may continue
            self.pace_reading()

    def _become_idle(self) -> None:
        if self.server.draining and not self._input.waiting:  # its response was begun before the draining
            self.close()
            return
        self.server.mark_idle(self)
        self._enter(State.IDLE, self.server.limits.keep_alive)
        if self._input.waiting or self.at_eof:
            self.server.loop.call_soon(self._next_request)

    def _app_ended(self, cycle: AsgiCycle, task: "asyncio.Task[None]") -> None:
        log_failure(cycle.head, task)
        if self.cycle is cycle:
            is_cut = self.at_eof and cycle.body_comes  # the request is incomplete (RFC 9112 §8)
            self.refuse(400 if is_cut else 500)

    def _refuse_head(self, status: int, head: bytes | None = None) -> None:
        """Refuse a request before the app, and report it to the observers."""
        self.server.refuse(self.base_scope, self._input.waiting if head is None else head, status)
        self.refuse(status)

    def refuse(self, status: int) -> None:
        """Respond with a status and close. If a response has begun, abort, so that the client notices the error."""
        can_respond = not self.flow.transport.is_closing() and (self.cycle is None or self.cycle.refuse(status))
        self._leave_cycle()
        if not can_respond:
            self.flow.transport.abort()
            return
        self.flow.transport.write(encode_refusal(status, self.server.date_line()))
        self._linger_or_close(expects_more=True)

    def _leave_cycle(self) -> None:
        cycle, self.cycle = self.cycle, None
        if cycle is not None:
            cycle.wake()

    # -- the end

    def _linger_or_close(self, *, expects_more: bool = False) -> None:
        expects_more |= self._input.clear()
        if self.at_eof or not expects_more or not self.flow.transport.can_write_eof():
            self.close()
            return
        self.flow.write_eof()
        self._enter(State.LINGERING, LINGER_SECONDS)
        self.pace_reading()

    def close(self) -> None:
        """Close as soon as the client has taken everything that was written."""
        self._expire_in(FLUSH_SECONDS)
        self.flow.transport.close()

    def drain(self) -> None:
        """Close, if no request is being read or responded to."""
        if self._state is State.IDLE and not self._input.waiting:
            self.close()

    def close_if_unused(self) -> None:
        """Close, unless the app runs a request or the connection is already about to close."""
        if self.cycle is None and self._state is not State.LINGERING:
            self.close()

    def time_out(self) -> None:
        """End the connection or the request, because its deadline has passed."""
        state, transport = self._state, self.flow.transport
        if transport.is_closing() or (state is State.LINGERING and not transport.get_write_buffer_size()):
            transport.abort()
        elif state is State.RUNNING and not self.flow.reads:  # the app, not the client, causes the wait
            self._expire_in(BODY_SECONDS)
        elif state is State.HEAD:
            self._refuse_head(408)
        elif state is State.RUNNING:
            self.refuse(408)
        else:
            self.close()

    def _enter(self, state: State, seconds: float) -> None:
        self._state, self.deadline = state, self.server.now + seconds

    def _expire_in(self, seconds: float) -> None:
        self.deadline = self.server.now + seconds
