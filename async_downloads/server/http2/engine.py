"""The h2 engine of a connection, with our own limits, and with the transport to which it writes."""

import asyncio
import struct
from typing import Any, Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import PriorityUpdated
from h2.settings import SettingCodes, Settings
from h2.stream import StreamInputs

from ..http1.request_head import Field
from .field_encoder import FieldEncoder
from .frames import CONTINUATION, DATA, END_HEADERS, END_STREAM, FRAME_BYTES, GOAWAY, HEADERS
from .request_fields import LIST_BYTES, RequestDecoder

__all__ = ["MAX_STREAMS", "Engine"]


MAX_STREAMS: Final = 64
_WINDOW_BYTES: Final = 1024 * 1024  # of all request bodies of a connection that wait for the app
_TABLE_BYTES: Final = 4096  # of the client's table of fields (RFC 7541 §4.2)
_JOINED_BYTES: Final = 64 * 1024  # of frames that wait for those of other streams, to be written together
_KNOWN_SETTINGS: Final = frozenset(map(int, SettingCodes))
_FRAME_HEAD: Final = struct.Struct(">IBI")  # length and kind, flags, number of the stream (RFC 9113 §4.1)


class Engine(H2Connection):
    """The states, windows and compression of a connection. Our own code checks the fields, not h2.

    Our own code also writes responses. h2 makes many objects for a frame and copies its bytes, which takes longer than
    encrypting them. So h2 is only informed of changes of states and windows.
    """

    MAX_CLOSED_STREAMS = 1024  # closed streams that h2 remembers

    def __init__(self, transport: Any) -> None:
        super().__init__(
            H2Configuration(
                client_side=False,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._frames: list[bytes | memoryview] = []  # before those that h2 holds
        self._frame_bytes = 0
        self._will_flush = False
        self.decoder: RequestDecoder = RequestDecoder()
        self.encoder: FieldEncoder = FieldEncoder()
        self.local_settings: Settings = Settings(
            client=False,
            initial_values={
                SettingCodes.HEADER_TABLE_SIZE: _TABLE_BYTES,
                SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
                SettingCodes.MAX_HEADER_LIST_SIZE: LIST_BYTES,
            },
        )

    @property
    def open_inbound_streams(self) -> int:
        """Always 0, because at its limit h2 would end the connection. RFC 9113 §5.1.2 only refuses the new stream."""
        _ = super().open_inbound_streams  # this makes h2 forget closed streams
        return 0

    def _receive_priority_frame(self, frame: Any) -> tuple[list[Any], list[Any]]:  # noqa: ARG002 - of h2
        """Ignore the priority: RFC 9113 §5.3.2 deprecates it, and h2 would end the connection for a wrong one."""
        return [], [PriorityUpdated()]

    def _receive_settings_frame(self, frame: Any) -> tuple[list[Any], list[Any]]:
        """Ignore unknown settings (RFC 9113 §6.5.2). h2 would keep each of them: 55 MB for all 65,536 numbers."""
        frame.settings = {number: value for number, value in frame.settings.items() if number in _KNOWN_SETTINGS}
        return super()._receive_settings_frame(frame)

    def begin(self) -> None:
        """Send our settings, and open the window of the connection."""
        self.initiate_connection()
        self.increment_flow_control_window(_WINDOW_BYTES - self.inbound_flow_control_window)
        self.flush()

    def send_fields(self, stream_id: int, fields: list[Field], *, ends: bool) -> None:
        """Send the head of a response, which begins with its status. With `ends` there is no body."""
        change = self.streams[stream_id].state_machine.process_input
        is_final = fields[0][1] >= b"200"
        change(StreamInputs.SEND_HEADERS if is_final else StreamInputs.SEND_INFORMATIONAL_HEADERS)
        if ends:
            change(StreamInputs.SEND_END_STREAM)
        block = memoryview(self.encoder.encode(fields))
        self._add_frames((HEADERS, CONTINUATION), stream_id, block, END_STREAM if ends else 0, END_HEADERS)
        self.flush_soon()

    def send_body(self, stream_id: int, data: memoryview, *, ends: bool) -> None:
        """Send a part of a body for which both windows have room. With `ends` it is the last part, and may be empty."""
        stream, size = self.streams[stream_id], len(data)
        if ends:
            stream.state_machine.process_input(StreamInputs.SEND_END_STREAM)
        self._add_frames((DATA, DATA), stream_id, data, 0, END_STREAM if ends else 0)
        self.outbound_flow_control_window -= size
        stream.outbound_flow_control_window -= size
        self._frame_bytes += size
        if self._frame_bytes >= _JOINED_BYTES:
            self.flush()
        else:
            self.flush_soon()

    def _add_frames(
        self, kinds: tuple[int, int], stream_id: int, payload: memoryview, first_flags: int, last_flags: int
    ) -> None:
        """Add frames of the first kind and of the further kind, behind those that h2 has made."""
        self._frames.append(self.data_to_send())
        (kind, further), flags, size = kinds, first_flags, len(payload)
        for start in range(0, size or 1, FRAME_BYTES):
            part = payload[start : start + FRAME_BYTES]
            flags |= last_flags if start + FRAME_BYTES >= size else 0
            self._frames += _FRAME_HEAD.pack(len(part) << 8 | kind, flags, stream_id), part
            kind, flags = further, 0

    def flush_soon(self) -> None:
        """Write in the next turn of the loop, so that the frames of many streams need only one write."""
        if not self._will_flush:
            self._will_flush = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write all frames that are not written yet."""
        data = b"".join((*self._frames, self.data_to_send()))
        self._frames, self._frame_bytes, self._will_flush = [], 0, False
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def send_goaway(self, code: ErrorCodes, last_id: int) -> None:
        """Send GOAWAY without h2. If h2 sent it, running streams could send nothing more."""
        self.flush()
        payload = last_id.to_bytes(4) + int(code).to_bytes(4)
        self._transport.write(len(payload).to_bytes(3) + bytes((GOAWAY, 0)) + bytes(4) + payload)
