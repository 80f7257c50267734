"""Messages with regions of files, which the server sends from the page cache.

A middleware between the app and the server may not know these messages. Starlette's GZipMiddleware drops them, and its
BaseHTTPMiddleware treats them as an error. So the head contains an offer. The server accepts the offer if the head
arrives unchanged; otherwise the regions are sent as bytes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from .errors import SourceTruncated
from .open_file import FileRegion
from .sources.opening import map_read_errors
from .timeouts import StallTimer

__all__ = ["PATH_SEND", "ZERO_COPY_SEND", "Message", "RegionOffer", "Send", "body_message", "send_region"]


Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
PATH_SEND: Final = "http.response.pathsend"  # an extension of ASGI: the server opens a path and sends its file
# A private extension of ASGI, made like `http.response.zerocopysend`, and the type of its message: the server sends
# `count` bytes from `offset` of `file`, an OpenFile. `send` returns when the socket has taken them all, and raises
# ConnectionError if the client has left. The message and `http.response.start` have the RegionOffer of the response
# under this name, too. The extension holds three functions that return numbers of bytes: `acknowledged`, what the
# client has received of the whole response; `taken`, what the socket has taken of files; `room`, the length of the
# longest body that is taken together with its head without waiting for the client.
ZERO_COPY_SEND: Final = "async_downloads.zerocopysend"
_FRAMING: Final = {b"content-encoding", b"content-length", b"transfer-encoding"}
_COPIED_BYTES: Final = 64 * 1024  # at once, of a region that is sent as bytes


class RegionOffer:
    """Whether the messages of one response reach the server.

    offered ── the server gets the head, with the same framing ──> accepted ── a region does not arrive ──> refused

    The app makes the offer and calls `sends`. The server calls `accept` and `arrived`.
    """

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._framing = _framing(headers)
        self._is_accepted = False
        self._arrived = 0

    def accept(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Accept the offer, unless a middleware has changed how the body is framed or coded."""
        self._is_accepted = _framing(headers) == self._framing

    def arrived(self) -> None:
        """Record that the server has received a region."""
        self._arrived += 1

    async def sends(self, region: FileRegion, send: Send) -> bool:
        """Send a region. Return False if it does not reach the server."""
        if self._is_accepted:
            before, (file, offset, count) = self._arrived, region
            message = {"type": ZERO_COPY_SEND, "file": file, "offset": offset, "count": count, "more_body": True}
            await send({**message, ZERO_COPY_SEND: self})
            self._is_accepted = self._arrived > before
        return self._is_accepted


def _framing(headers: Iterable[tuple[bytes, bytes]]) -> set[tuple[bytes, bytes]]:
    return {(name, value) for name, value in headers if name in _FRAMING}


async def send_region(region: FileRegion, offer: RegionOffer, timer: StallTimer, send: Send) -> None:
    """Send a region of a file to the server, or its bytes if the region does not reach the server.

    Raises SourceTruncated if the file ends before the region does.
    """
    if await offer.sends(region, send):
        return
    file, offset, size = region
    stop = offset + size
    with map_read_errors(f"reading from {offset}"):
        while offset < stop:
            timer.pause()
            chunk = await file.read(offset, min(_COPIED_BYTES, stop - offset))
            if not chunk:
                raise SourceTruncated(f"the file ended at byte {offset}")
            timer.renew()
            await send(body_message(chunk))
            offset += len(chunk)
            await asyncio.sleep(0)  # `send` on a broken connection returns without suspending


def body_message(chunk: bytes) -> Message:
    """Return the message for a part of a body that is not the last part."""
    return {"type": "http.response.body", "body": chunk, "more_body": True}
