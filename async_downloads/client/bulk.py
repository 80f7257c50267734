"""The body of an answer, past the parser where that is what takes the time.

HTTP/1.1 copies each byte four times here before it is handed on, which is of no account unless the network is faster
than that. Then the rest of a long body is read from the connection itself, as soon as nothing but its bytes can come,
and the connection is given up for it: the parser does not know that the body is over.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import httpcore

__all__ = ["pieces", "plain_length"]

_FULL: Final = 64 * 1024  # bytes that httpcore reads at once, at most
_BUSY: Final = 16  # full pieces, which tell that more had come than was read
_LONG: Final = 8 * 1024 * 1024  # bytes that cost more to be parsed than another connection does
_AT_ONCE: Final = 2 * 1024 * 1024  # bytes: a turn of the loop of one or two milliseconds


async def pieces(response: httpcore.Response, patience: float | None) -> AsyncGenerator[bytes]:
    """Yield the body. Silence for `patience` seconds is a ReadTimeout, as it is when all of it is parsed."""
    left, busy = plain_length(response), 0
    async with aclosing(response.aiter_stream()) as parsed:  # type: ignore[type-var]  # it is a generator
        async for piece in parsed:
            yield piece
            left -= len(piece)
            busy += len(piece) >= _FULL
            if busy >= _BUSY and left >= _LONG:
                break
        else:
            return
        # The parser gives out all that it has: while there is more of the body to come, it holds nothing back.
        async with aclosing(_read(response.extensions["network_stream"], left, patience)) as unparsed:
            async for piece in unparsed:
                yield piece


async def _read(stream: httpcore.AsyncNetworkStream, left: int, patience: float | None) -> AsyncGenerator[bytes]:
    while left:
        piece = await stream.read(min(left, _AT_ONCE), patience)
        if not piece:
            raise httpcore.RemoteProtocolError(f"peer closed connection {left} bytes before the end of the body")
        left -= len(piece)
        yield piece


def plain_length(response: httpcore.Response) -> int:
    """Return how many bytes follow the head when they are those of the body and nothing else; otherwise 0."""
    if not response.extensions["http_version"].startswith(b"HTTP/1"):
        return 0
    fields = [(name.lower(), value) for name, value in response.headers]
    lengths = [value for name, value in fields if name == b"content-length"]
    if len(lengths) != 1 or not lengths[0].isdigit() or any(name == b"transfer-encoding" for name, _ in fields):
        return 0
    return int(lengths[0])
