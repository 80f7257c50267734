"""h2 as the connection uses it: with bounds of its own, and with the transport behind it."""

import asyncio
from typing import Any, Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.settings import SettingCodes, Settings

from .field_encoder import FieldEncoder
from .frames import DATA, GOAWAY
from .request_fields import LIST_BYTES, RequestDecoder

__all__ = ["FRAME_BYTES", "MAX_STREAMS", "Engine"]


MAX_STREAMS: Final = 64
_WINDOW_BYTES: Final = 1024 * 1024  # of all request bodies of a connection that wait for the app
_TABLE_BYTES: Final = 4096  # of the client's table of fields (RFC 7541 §4.2)
FRAME_BYTES: Final = 16 * 1024
_JOINED_BYTES: Final = 64 * 1024  # of frames that wait for those of other streams, to be written together
_DATA_HEAD: Final = bytes((DATA, 0))  # between the length of a frame and the number of its stream


class Engine(H2Connection):
    """The states, windows and compression of a connection. Fields are checked by us, not by h2."""

    MAX_CLOSED_STREAMS = 1024  # streams that it remembers

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
        """Always 0: at its limit h2 would end the connection, but RFC 9113 §5.1.2 refuses one stream."""
        _ = super().open_inbound_streams  # this makes h2 forget closed streams
        return 0

    def begin(self) -> None:
        """Send our settings, and open the window of the connection."""
        self.initiate_connection()
        self.increment_flow_control_window(_WINDOW_BYTES - self.inbound_flow_control_window)
        self.flush()

    def send_body(self, stream_id: int, data: memoryview, *, ends: bool) -> None:
        """Send a part of a body for which both windows have room; with `ends` it is the last part, and may be empty.

        Only the last frame of a body goes through h2, because it changes the state of the stream. h2 makes many objects
        for a frame and copies its bytes, which takes longer than their encryption.
        """
        direct = max(len(data) - 1, 0) // FRAME_BYTES * FRAME_BYTES if ends else len(data)
        if direct:
            self._frames.append(self.data_to_send())
        for start in range(0, direct, FRAME_BYTES):
            part = data[start : start + FRAME_BYTES]
            self._frames += len(part).to_bytes(3) + _DATA_HEAD + stream_id.to_bytes(4), part
        self.outbound_flow_control_window -= direct
        self.streams[stream_id].outbound_flow_control_window -= direct
        if ends:
            self.send_data(stream_id, bytes(data[direct:]), end_stream=True)
        self._frame_bytes += len(data)
        if self._frame_bytes >= _JOINED_BYTES:
            self.flush()
        else:
            self.flush_soon()

    def flush_soon(self) -> None:
        """Write in the next turn of the loop: the frames of many streams then cost one write."""
        if not self._will_flush:
            self._will_flush = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write all frames that are not written yet."""
        data = b"".join((*self._frames, self.data_to_send()))
        self._frames, self._frame_bytes, self._will_flush = [], 0, False
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def say_goaway(self, code: ErrorCodes, last_id: int) -> None:
        """Send GOAWAY. After a GOAWAY of h2's own, running streams could send nothing more."""
        self.flush()
        payload = last_id.to_bytes(4) + int(code).to_bytes(4)
        self._transport.write(len(payload).to_bytes(3) + bytes((GOAWAY, 0)) + bytes(4) + payload)
