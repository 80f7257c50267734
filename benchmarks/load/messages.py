"""Requests as bytes, and the parts of a response's head that a load driver needs."""

import re
import socket
from dataclasses import dataclass

from benchmarks.servers.base import HOST
from benchmarks.settings import BenchmarkError

__all__ = ["Head", "Response", "connect", "fetch", "parse_head", "request"]

LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
FETCH_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Head:
    """The start of a response: ``size`` bytes of fields, then ``length`` bytes of body."""

    status: int
    size: int
    length: int | None
    close: bool


@dataclass(frozen=True, slots=True)
class Response:
    """A response, read at least up to the wanted length."""

    head: Head
    fields: bytes
    body: bytes

    def field(self, name: str) -> str | None:
        """Return the value of a field, or None if the response does not have it."""
        found = re.search(rb"\r\n%b:[ \t]*([^\r]*)" % re.escape(name.encode()), self.fields, re.IGNORECASE)
        return found[1].decode("latin-1") if found else None


def request(name: str, **fields: str) -> bytes:
    """Write a GET for a file; an underscore in a field's name becomes a hyphen.

    >>> request("a.bin", if_range='"x"')
    b'GET /a.bin HTTP/1.1\\r\\nHost: localhost\\r\\nif-range: "x"\\r\\n\\r\\n'
    """
    lines = [f"{key.replace('_', '-')}: {value}\r\n" for key, value in fields.items()]
    return f"GET /{name} HTTP/1.1\r\nHost: localhost\r\n{''.join(lines)}\r\n".encode("ascii")


def parse_head(data: bytes | bytearray) -> Head | None:
    """Return the head, or None if it is not complete yet. A 304 has no body, even with a Content-Length."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[: end + 2]
    status = int(bytes(head[9:12]))
    found = LENGTH.search(head)
    length = 0 if status == 304 else int(found[1]) if found else None
    return Head(status, end + 4, length, CLOSE.search(head) is not None)


def connect(port: int, host: str = HOST) -> socket.socket:
    """Open a non-blocking connection; on loopback it is ready at once unless the server's backlog is full."""
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(False)
    connection.connect_ex((host, port))
    return connection


def fetch(port: int, message: bytes, *, wanted: int | None = None, host: str = HOST) -> Response:
    """Send one request and read the body, or its first ``wanted`` bytes."""
    with socket.create_connection((host, port), timeout=FETCH_TIMEOUT) as connection:
        connection.sendall(message)
        data = bytearray()
        while (head := parse_head(data)) is None:
            data += _more(connection)
        length = (head.length or 0) if wanted is None else min(wanted, head.length or 0)
        while len(data) < head.size + length:
            data += _more(connection)
    return Response(head, bytes(data[: head.size]), bytes(data[head.size : head.size + length]))


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise BenchmarkError("the server closed the connection within a response")
    return data
