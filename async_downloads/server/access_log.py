"""The access log: it counts the bytes that were really sent, not those of Content-Length."""

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ..sending import ZERO_COPY_SEND, Receive, Scope, Send

__all__ = ["FORMATS", "AccessLog"]


Record = Mapping[str, Any]

_REFUSED_BYTES: Final = 200  # of the request line of a refused request
_REQUEST_LINE: Final = re.compile(r"([!-~]+) ([!-~]+) HTTP/([0-9](?:\.[0-9])?)")
# Bytes of a field that comes from the client. A head may have 64 KiB: without this, a few requests would fill a log.
_MAX_FIELD_BYTES: Final = 1024


def _as_text(record: Record) -> str:
    # JSON quotes it, so nothing that a client sends can end the quotes or the line.
    request = json.dumps(f"{record['method']} {record['target']} HTTP/{record['version']}")
    extent = f"range={json.dumps(record['range'])}" if record["range"] else "whole"
    outcome = "aborted" if record["aborted"] else "complete"
    return (
        f"{record['client']} [{record['time']}] {request} {record['status'] or '-'} {record['bytes']} bytes "
        f"{extent} {record['seconds']:.3f} s {outcome}"
    )


FORMATS: Final[Mapping[str, Callable[[Record], str]]] = {"text": _as_text, "json": json.dumps}


class AccessLog:
    """An ASGI app around another one; it writes a line for each request when the request has ended.

    `form` is a key of `FORMATS`. `bytes` counts the part of the body that the server accepted, and the bytes of file
    regions that the socket accepted; it is never less than the client has received. `aborted` means that the response
    is incomplete. `write` is called on the event loop and must not block.
    """

    def __init__(self, app: Any, form: str, *, write: Callable[[str], object]) -> None:
        self._app = app
        self._format = FORMATS[form]
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, then write the line, also if the app failed."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counter = _Counter(send, _taken_by_socket(scope), has_body=scope["method"] != "HEAD")
        started = time.monotonic()
        try:
            await self._app(scope, receive, counter.send)
        finally:
            self._log(_request(scope), counter.record(), time.monotonic() - started)

    def log_refusal(self, scope: Scope, data: bytes, status: int) -> None:
        """Write the line of a request that the server refused before the app; `data` are the bytes that came.

        `-` stands for a part of the request line that is not there. Only the first 200 bytes of a longer line are
        logged.
        """
        line = data.partition(b"\r\n")[0][:_REFUSED_BYTES].decode("ascii", "backslashreplace")
        parsed = _REQUEST_LINE.fullmatch(line)
        method, target, version = parsed.groups() if parsed else ("-", line or "-", "-")
        request = {"method": method, "target": target, "version": version, "range": None}
        self._log({**_moment(scope), **request}, {"status": status, "bytes": 0, "aborted": False}, 0.0)

    def _log(self, request: Record, outcome: Record, seconds: float) -> None:
        self._write(self._format({**request, **outcome, "seconds": round(seconds, 6)}) + "\n")


class _Counter:
    """Counts the bytes that pass through `send`, also those of a message that was sent only in part.

    Without `has_body` it counts no bytes of the body: the server leaves it out of a response to HEAD.
    """

    def __init__(self, send: Send, taken: Callable[[], int], *, has_body: bool) -> None:
        self._send = send
        self._taken = taken
        self._has_body = has_body
        self._status: int | None = None
        self._bytes = 0
        self._complete = False

    async def send(self, message: Any) -> None:
        before = self._taken()
        try:
            await self._send(message)
        finally:
            self._bytes += self._taken() - before
            if message["type"] == "http.response.body" and self._has_body:
                self._bytes += len(message.get("body", b""))
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] in {"http.response.body", ZERO_COPY_SEND}:
            self._complete = not message.get("more_body", False)

    def record(self) -> Record:
        return {"status": self._status, "bytes": self._bytes, "aborted": not self._complete}


def _taken_by_socket(scope: Scope) -> Callable[[], int]:
    """Return a function that counts the bytes of file regions that the socket took: 0 without the extension."""
    extension = (scope.get("extensions") or {}).get(ZERO_COPY_SEND)
    return extension["taken"] if extension else int


def _moment(scope: Scope) -> Record:
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "client": scope["client"][0] if scope.get("client") else "-",
    }


def _request(scope: Scope) -> Record:
    """Return the fields that describe the request, cut to 1 KiB each. The target stays percent-encoded, as it came."""
    query = scope["query_string"]
    ranges = b", ".join(value for name, value in scope["headers"] if name == b"range")
    return {
        **_moment(scope),
        "method": _cut(scope["method"].encode()),
        "target": _cut(scope["raw_path"] + b"?" + query if query else scope["raw_path"]),
        "version": scope["http_version"],
        "range": _cut(ranges) or None,
    }


def _cut(field: bytes) -> str:
    """Return the field as ASCII; three dots stand for the rest of a long one."""
    text = field[:_MAX_FIELD_BYTES].decode("ascii", "backslashreplace")
    return text if len(field) <= _MAX_FIELD_BYTES else f"{text}..."
