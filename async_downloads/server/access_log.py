"""The access log: what was really sent, not what was promised."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ..sending import ZERO_COPY_SEND, Receive, Scope, Send

__all__ = ["FORMATS", "AccessLog"]


Record = Mapping[str, Any]


def _as_text(record: Record) -> str:
    # Quoted as JSON does it: whatever a client sends, it can end neither the quotes nor the line.
    asked = json.dumps(f"{record['method']} {record['target']} HTTP/{record['version']}")
    extent = f"range={json.dumps(record['range'])}" if record["range"] else "whole"
    outcome = "aborted" if record["aborted"] else "complete"
    return (
        f"{record['client']} [{record['time']}] {asked} {record['status']} {record['bytes']} bytes "
        f"{extent} {record['seconds']:.3f} s {outcome}"
    )


FORMATS: Final[Mapping[str, Callable[[Record], str]]] = {"text": _as_text, "json": json.dumps}


class AccessLog:
    """An ASGI app around another that writes a line for each request when it has ended.

    `bytes` are those of the body that the server took, of a part of a file those that the socket took: never fewer
    than the client has. `aborted` says that not all of it came. `write` is called on the event loop, and may not wait.
    """

    def __init__(self, app: Any, form: str, *, write: Callable[[str], object]) -> None:
        self._app = app
        self._format = FORMATS[form]
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and write down how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        account = _Account(send, _taken_by_socket(scope), has_body=scope["method"] != "HEAD")
        began = time.monotonic()
        try:
            await self._app(scope, receive, account.send)
        finally:
            record = {**_request(scope), **account.record(), "seconds": round(time.monotonic() - began, 6)}
            self._write(self._format(record) + "\n")


class _Account:
    """Counts what passes through `send`, also of a message that could not be sent to its end.

    The body of an answer to HEAD is left out by the server.
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
    """Return what counts the bytes of parts of files that the socket has taken; none where it is sent no such parts."""
    lane = (scope.get("extensions") or {}).get(ZERO_COPY_SEND)
    return lane["taken"] if lane else int


def _request(scope: Scope) -> Record:
    """Say who asked for what. The target is as it came, percent-encoded."""
    target = scope["raw_path"].decode("ascii", "backslashreplace")
    if scope["query_string"]:
        target += "?" + scope["query_string"].decode("ascii", "backslashreplace")
    ranges = b", ".join(value for name, value in scope["headers"] if name == b"range")
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "client": scope["client"][0] if scope.get("client") else "-",
        "method": scope["method"],
        "target": target,
        "version": scope["http_version"],
        "range": ranges.decode("ascii", "backslashreplace") or None,
    }
