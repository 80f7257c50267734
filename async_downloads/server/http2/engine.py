"""h2 as the connection uses it: with bounds of its own, and with the transport behind it."""

from typing import Any, Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.settings import SettingCodes, Settings
from hpack import Encoder

from .frames import GOAWAY
from .request_fields import LIST_BYTES, RequestDecoder

__all__ = ["MAX_STREAMS", "Engine"]


MAX_STREAMS: Final = 64
_WINDOW_BYTES: Final = 1024 * 1024  # of all request bodies of a connection that wait for the app
_TABLE_BYTES: Final = 4096  # of each side's table of fields (RFC 7541 §4.2)


class _BoundedEncoder(Encoder):
    """Keeps our table of fields small, however large a client allows it to be."""

    @property
    def header_table_size(self) -> int:
        """The size of the table in bytes."""
        return self.header_table.maxsize

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        value = min(value, _TABLE_BYTES)
        if value != self.header_table.maxsize:
            self.header_table.maxsize = value
            self.table_size_changes: list[int] = [min([*self.table_size_changes, value]), value]


class Engine(H2Connection):
    """The states, windows and compression of a connection. Fields of requests are checked by us, not by h2."""

    MAX_CLOSED_STREAMS = 1024  # streams that it remembers

    def __init__(self, transport: Any) -> None:
        super().__init__(
            H2Configuration(client_side=False, validate_inbound_headers=False, normalize_inbound_headers=False)
        )
        self._transport = transport
        self.decoder: RequestDecoder = RequestDecoder()
        self.encoder: _BoundedEncoder = _BoundedEncoder()
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

    def flush(self) -> None:
        """Write the bytes that h2 wants to send."""
        data = self.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def say_goaway(self, code: ErrorCodes, last_id: int) -> None:
        """Send GOAWAY. After a GOAWAY of h2's own, running streams could send nothing more."""
        self.flush()
        payload = last_id.to_bytes(4) + int(code).to_bytes(4)
        self._transport.write(len(payload).to_bytes(3) + bytes((GOAWAY, 0)) + bytes(4) + payload)
