"""Read the bytes of a connection: from a plain socket, or all TLS records that have arrived."""

import select
import socket
import ssl
from typing import Final

__all__ = ["INCOMPLETE", "PlainReader", "TlsReader"]


INCOMPLETE: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError)  # TLS needs another read or write on the socket
_RECORD_BYTES: Final = 16 * 1024  # the largest TLS record (RFC 8446 §5.1)


class PlainReader:
    """Reads from a plain socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def __call__(self, size: int) -> bytes:
        """Return up to `size` bytes. Raises BlockingIOError if none have arrived."""
        return self._socket.recv(size)

    @property
    def is_readable(self) -> bool:
        """Whether a read would return at once. On an idle connection, this means that the server has closed it."""
        if self._socket.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))


class TlsReader(PlainReader):
    """Reads all TLS records that have arrived. An error after some bytes is raised by the next read.

    An end without close_notify is an error, because an attacker can cause it, and because a body that lasts until the
    end of the connection would look complete (RFC 9112 §9.8).
    """

    def __init__(self, secure: ssl.SSLSocket) -> None:
        super().__init__(secure)
        self._secure = secure
        self._ended = False
        self._error: OSError | None = None

    def __call__(self, size: int) -> bytes:
        """Return up to `size` bytes. Raises one of `INCOMPLETE` if no whole record has arrived."""
        records: list[bytes] = []
        received = 0
        try:
            while received < size and not self._ended:
                record = self._socket.recv(min(size - received, _RECORD_BYTES))
                records.append(record)
                received += len(record)
                self._ended = not record
        except INCOMPLETE:
            if not received:
                raise
        except OSError as error:
            self._ended, self._error = True, _no_close_notify() if _is_truncated(error) else error
        if self._error and not received:
            raise self._error
        return b"".join(records)

    @property
    def is_readable(self) -> bool:
        """Whether a read would return at once."""
        return self._ended or self._secure.pending() > 0 or super().is_readable


def _is_truncated(error: OSError) -> bool:
    """Return whether the connection ended without close_notify. Some Python releases have no exception class for it."""
    return isinstance(error, ssl.SSLEOFError) or getattr(error, "reason", None) == "UNEXPECTED_EOF_WHILE_READING"


def _no_close_notify() -> OSError:
    return ConnectionAbortedError("the connection ended without TLS close_notify")
