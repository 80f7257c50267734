"""Plain HTTP on a port that expects TLS: the client gets a response that explains the mistake."""

import asyncio
import socket
from typing import Final

from .http1.response_head import encode_lines
from .http1.states import LINGER_SECONDS

__all__ = ["refuse_plain_http"]


_TEXT: Final = b"400 Bad Request: this port expects HTTPS. Use an address that begins with https://\n"
_FIELDS: Final = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", b"%d" % len(_TEXT)),
)
_RESPONSE: Final = b"%sConnection: close\r\n\r\n%s" % (encode_lines(400, _FIELDS).lines, _TEXT)
_READ_BYTES: Final = 64 * 1024


async def refuse_plain_http(sock: socket.socket) -> None:
    """Wait for the first byte of a client, and leave it in the socket. If it begins a method, respond with 400.

    A method begins with a capital letter, a TLS handshake with the byte 22. After the response, the rest of the request
    is read and discarded, because a close would reset the connection and the client would lose the response. Then the
    function raises ConnectionError.
    """
    await _readable(sock)
    if not sock.recv(1, socket.MSG_PEEK).isupper():
        return
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, _RESPONSE)
    sock.shutdown(socket.SHUT_WR)
    async with asyncio.timeout(LINGER_SECONDS):
        while await loop.sock_recv(sock, _READ_BYTES):
            pass
    raise ConnectionAbortedError("the client uses plain HTTP")


async def _readable(sock: socket.socket) -> None:
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(sock)
