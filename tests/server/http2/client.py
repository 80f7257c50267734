"""A client of HTTP/2 that sends frames of any kind, and reads as the test says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes
from harness.served import Server
from harness.waiting import HANGING

__all__ = ["Http2Client", "connected", "frame"]

Fields = list[tuple[bytes, bytes]]
GET: Final[Fields] = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/"), (b":authority", b"localhost")]


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Encode a frame (RFC 9113 §4.1)."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream_id.to_bytes(4) + payload


class Http2Client:
    """One connection; `events` are all that have come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, window: int) -> None:
        self.reader = reader
        self.writer = writer
        self.events: list[Event] = []
        self.auto_window = True
        self.h2 = H2Connection(H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False))
        self.h2.local_settings[SettingCodes.INITIAL_WINDOW_SIZE] = window
        self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Send what h2 has to send."""
        self.writer.write(self.h2.data_to_send())

    def raw(self, data: bytes) -> None:
        """Send bytes past h2."""
        self.flush()
        self.writer.write(data)

    def request(self, *fields: tuple[bytes, bytes], ends: bool = True, pseudo: Fields | None = None) -> int:
        """Send a request; fields that begin with a colon take the place of the usual ones. Return its stream."""
        given = dict(fields)
        base = [(name, given.pop(name, value)) for name, value in GET] if pseudo is None else pseudo
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, [*base, *given.items()], end_stream=ends)
        self.flush()
        return stream_id

    def get(self, path: str, *fields: tuple[bytes, bytes]) -> int:
        """Ask for a path."""
        return self.request((b":path", path.encode()), *fields)

    async def until(self, condition: Callable[[], object]) -> Self:
        """Read until the condition holds, or the server closes. Fails if neither happens."""
        async with asyncio.timeout(HANGING):
            while not condition() and await self._read():
                pass
        return self

    async def _read(self) -> bool:
        try:
            data = await self.reader.read(65536)
        except ConnectionError:
            return False
        for event in self.h2.receive_data(data):
            self.events.append(event)
            if isinstance(event, DataReceived) and self.auto_window:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()
        return data != b""

    def of(self, stream_id: int) -> list[Event]:
        """Return the events of a stream."""
        return [event for event in self.events if getattr(event, "stream_id", None) == stream_id]

    def body(self, stream_id: int) -> bytes:
        """Return the bytes of a body that have arrived."""
        return b"".join(event.data for event in self.of(stream_id) if isinstance(event, DataReceived))

    def status(self, stream_id: int) -> int | None:
        """Return the status of a response, or None."""
        heads = [event for event in self.of(stream_id) if isinstance(event, ResponseReceived)]
        return int(dict(heads[0].headers)[b":status"]) if heads else None

    def reset_code(self, stream_id: int) -> int | None:
        """Return the code with which a stream was reset; None if it was not."""
        return next((event.error_code for event in self.of(stream_id) if isinstance(event, StreamReset)), None)

    def goaway(self) -> int | None:
        """Return the code of GOAWAY, or None."""
        return next((event.error_code for event in self.events if isinstance(event, ConnectionTerminated)), None)

    async def response(self, stream_id: int) -> tuple[int | None, bytes]:
        """Read a whole response."""
        await self.until(lambda: any(isinstance(event, StreamEnded | StreamReset) for event in self.of(stream_id)))
        return self.status(stream_id), self.body(stream_id)

    async def reset_of(self, stream_id: int) -> int | None:
        """Read until a stream is reset; return the code."""
        await self.until(lambda: self.reset_code(stream_id) is not None)
        return self.reset_code(stream_id)

    async def end(self) -> int | None:
        """Read until the server closes; return the code of GOAWAY."""
        await self.until(lambda: self.goaway() is not None)
        code = self.goaway()
        with suppress(ConnectionError):
            async with asyncio.timeout(HANGING):
                while await self.reader.read(65536):
                    pass
        return code

    async def is_alive(self) -> bool:
        """Whether another request gets its response."""
        return (await self.response(self.get("/")))[0] is not None


@asynccontextmanager
async def connected(server: Server, *, window: int = 65535, preface: bytes = b"") -> AsyncIterator[Http2Client]:
    """Open a connection whose streams have a window of that size; the preface comes before ours."""
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE
    trusted.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusted)
    writer.write(preface)
    try:
        yield Http2Client(reader, writer, window)
    finally:
        writer.transport.abort()
