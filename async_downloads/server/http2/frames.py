"""Received frames (RFC 9113 §4): they are read one at a time, and their size and number are limited, before h2."""

from typing import Final, NamedTuple

from h2.errors import ErrorCodes

__all__ = [
    "CONTINUATION", "DATA", "END_HEADERS", "END_STREAM", "FRAME_BYTES", "GOAWAY", "HEADERS", "PREFACE",
    "ConnectionFault", "Frame", "FrameBudget", "FrameSplitter", "stream_fault",
]  # fmt: skip


PREFACE: Final = -1  # the kind of the first bytes of a connection
DATA: Final = 0
HEADERS: Final = 1
_PRIORITY: Final = 2
_SETTINGS: Final = 4
GOAWAY: Final = 7
_WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9
END_STREAM: Final = 1  # a flag
_ACK: Final = 1  # a flag
END_HEADERS: Final = 4  # a flag
_HEAD_BYTES: Final = 9
_PRIORITY_BYTES: Final = 5
FRAME_BYTES: Final = 16 * 1024  # of a payload, in both directions: the default of HTTP/2 (RFC 9113 §6.5.2)
_BLOCK_BYTES: Final = 32 * 1024  # of a compressed list of fields
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_MOST_CREDIT: Final = 5000
_CREDIT_PER_SECOND: Final = 500
_FULL_BYTES: Final = 256  # a DATA frame with more bytes takes more work from the client than from us
_SETTINGS_BYTES: Final = 128  # settings beyond these cost more: a frame of 2,730 settings takes a millisecond
_EARNED: Final = 4


class ConnectionFault(Exception):
    """The client has broken a rule, and the whole connection ends. `code` is sent in GOAWAY (RFC 9113 §7)."""

    def __init__(self, code: ErrorCodes) -> None:
        super().__init__(code)
        self.code: ErrorCodes = code


class Frame(NamedTuple):
    """A frame. `data` is the whole frame, and `size` is the length of its payload in bytes."""

    kind: int
    flags: int
    stream_id: int
    size: int
    data: bytes


def stream_fault(frame: Frame) -> ErrorCodes | None:
    """Return the code with which a frame resets its stream: h2 would end the connection, and with it all streams.

    These are an increment of 0 (RFC 9113 §6.9) and a priority of a wrong length (§6.3).
    """
    if frame.kind == _WINDOW_UPDATE and frame.data[_HEAD_BYTES:] == bytes(4):
        return ErrorCodes.PROTOCOL_ERROR
    if frame.kind == _PRIORITY and frame.size != _PRIORITY_BYTES:
        return ErrorCodes.FRAME_SIZE_ERROR
    return None


class FrameSplitter:
    """Splits the bytes of a client into frames. It holds less than one frame and the bytes of one read."""

    def __init__(self) -> None:
        self.in_block: bool = False  # a list of fields has begun, and its last frame is still to come
        self._held = bytearray()
        self._begun = False
        self._block_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._held += data

    def take(self) -> Frame | None:
        """Return the next frame, or None if it is not complete. Raises ConnectionFault if its size is not allowed."""
        if not self._begun:
            return self._take_preface()
        if len(self._held) < _HEAD_BYTES:
            return None
        kind, flags = self._held[3], self._held[4]
        size = int.from_bytes(self._held[:3])
        if size > FRAME_BYTES or (size and kind == _SETTINGS and flags & _ACK):
            raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR)
        if len(self._held) < _HEAD_BYTES + size:
            return None
        stream_id = int.from_bytes(self._held[5:9]) & 0x7FFFFFFF
        if kind in {HEADERS, CONTINUATION}:
            self._count_block(kind, flags, size)
        return Frame(kind, flags, stream_id, size, self._cut(_HEAD_BYTES + size))

    def _take_preface(self) -> Frame | None:
        if not _PREFACE.startswith(self._held[: len(_PREFACE)]):
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR)
        if len(self._held) < len(_PREFACE):
            return None
        self._begun = True
        return Frame(PREFACE, 0, 0, 0, self._cut(len(_PREFACE)))

    def _count_block(self, kind: int, flags: int, size: int) -> None:
        self._block_bytes = size + (self._block_bytes if kind == CONTINUATION else 0)
        if self._block_bytes > _BLOCK_BYTES:
            raise ConnectionFault(ErrorCodes.ENHANCE_YOUR_CALM)
        self.in_block = not flags & END_HEADERS

    def _cut(self, size: int) -> bytes:
        data = bytes(self._held[:size])
        del self._held[:size]
        return data


class FrameBudget:
    """Limits the frames that are not needed for requests: pings, settings, priorities, resets, small windows.

    The client gets credit back with time, and for responses, because a fast client opens its windows often.
    """

    RESET_COST: Final = 50  # of a request that the client cancels

    def __init__(self, now: float) -> None:
        self._credit = float(_MOST_CREDIT)
        self._now = now

    def count(self, frame: Frame, now: float) -> None:
        """Count a frame. Raises ConnectionFault if there have been too many."""
        if frame.kind == _SETTINGS:
            self.spend(1 + frame.size // _SETTINGS_BYTES, now)
        elif frame.kind != DATA or frame.size < _FULL_BYTES:
            self.spend(1, now)

    def spend(self, cost: int, now: float) -> None:
        """Subtract credit. Raises ConnectionFault if no credit is left."""
        self._credit = min(_MOST_CREDIT, self._credit + _CREDIT_PER_SECOND * (now - self._now)) - cost
        self._now = now
        if self._credit < 0:
            raise ConnectionFault(ErrorCodes.ENHANCE_YOUR_CALM)

    def earn(self) -> None:
        """Add credit for a full frame that was sent, or for the end of a response."""
        self._credit = min(_MOST_CREDIT, self._credit + _EARNED)
