"""The access log. It logs the number of bytes that were really sent, not that of Content-Length."""

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from ..access.signature_parameter import without_signature
from ..sending import Scope
from .line_writer import LineWriter, report
from .request_id import request_id
from .request_observer import ObservedResponse, RequestObserver

__all__ = ["FORMATS", "AccessLog", "access_log"]


Record = Mapping[str, Any]
_REFUSED_BYTES: Final = 200  # of the request line of a refused request
_SEARCHED_BYTES: Final = 8 * 1024  # of that line: no secret is longer, and a search in 64 KiB would block the loop
_REQUEST_LINE: Final = re.compile(r"([!-~]+) ([!-~]+) HTTP/([0-9](?:\.[0-9])?)")
# Before the host of a target that is no path (RFC 9112 §3.2.2-3), up to the last @: a password may hold any character.
_USERINFO: Final = re.compile(rb"((?:^|\s)(?:[^\s/]*//)?)(?!/)\S*@")
_LINE_BREAK: Final = re.compile(rb"[\r\n]")  # each may end a malformed line; the next line may contain a password
# Bytes of a field that comes from the client. A head may have 64 KiB: without a limit, a few requests could fill a log.
_MAX_FIELD_BYTES: Final = 1024


def _as_text(record: Record) -> str:
    # JSON quotes it, so nothing that a client sends can end the quotes or the line.
    request = json.dumps(f"{record['method']} {record['target']} HTTP/{record['version']}")
    extent = f"range={json.dumps(record['range'])}" if record["range"] else "whole"
    outcome = "aborted" if record["aborted"] else "complete"
    identity = f" id={record['request_id']}" if record["request_id"] else ""
    return (
        f"{record['client']} [{record['time']}] {request} {record['status'] or '-'} {record['bytes']} bytes "
        f"{extent} {record['seconds']:.3f} s {outcome}{identity}"
    )


FORMATS: Final[Mapping[str, Callable[[Record], str]]] = {"text": _as_text, "json": json.dumps}


@contextmanager
def access_log(form: str) -> Iterator[Sequence[RequestObserver]]:
    """Yield the observer that writes the log to standard output, or none if `form` is "none". Flush at the end."""
    if form == "none":
        yield ()
        return
    lines = LineWriter(_descriptor(sys.stdout), "the access log", report=report)
    try:
        yield (AccessLog(form, write=lines.write),)
    finally:
        lines.close()


def _descriptor(stream: TextIO | None) -> int:
    """Return a stream's descriptor, or /dev/null if there is no stream: another file may have its number."""
    return stream.fileno() if stream else os.open(os.devnull, os.O_WRONLY)


class AccessLog:
    """Observes requests, and writes a line when a request has ended.

    `form` is a key of `FORMATS`. In a line, `bytes` is `sent` of `ObservedResponse`, and `aborted` means that the
    response is incomplete. `write` is called on the event loop and must not block.
    """

    def __init__(self, form: str, *, write: Callable[[str], object]) -> None:
        self._format = FORMATS[form]
        self._write = write

    def end(
        self,
        scope: Scope,
        response: ObservedResponse,
        started: float,
        task: "asyncio.Task[None]",  # noqa: ARG002 - as the metrics need it
    ) -> None:
        """Write the line of a request that has ended."""
        outcome = {"status": response.status, "bytes": response.sent, "aborted": not response.complete}
        self._log(_request(scope), outcome, time.monotonic() - started)

    def refused(self, scope: Scope, data: bytes, status: int) -> None:
        """Write the line of a request that the server refused before the app; `data` are the received bytes.

        `-` stands for a missing part of the request line, and three stars for a user and a password. Of a longer line,
        only the first 200 bytes are logged.
        """
        line = _LINE_BREAK.split(data, maxsplit=1)[0][:_SEARCHED_BYTES]
        line = _USERINFO.sub(rb"\1***@", without_signature(line))
        text = line[:_REFUSED_BYTES].decode("ascii", "backslashreplace")
        parsed = _REQUEST_LINE.fullmatch(text)
        method, target, version = parsed.groups() if parsed else ("-", text or "-", "-")
        request = {"method": method, "target": target, "version": version, "range": None, "request_id": None}
        self._log({**_moment(scope), **request}, {"status": status, "bytes": 0, "aborted": False}, 0.0)

    def _log(self, request: Record, outcome: Record, seconds: float) -> None:
        self._write(self._format({**request, **outcome, "seconds": round(seconds, 6)}) + "\n")


def _moment(scope: Scope) -> Record:
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "client": scope["client"][0] if scope.get("client") else "-",
    }


def _request(scope: Scope) -> Record:
    """Return the values that describe the request, each cut to 1 KiB. The target stays percent-encoded."""
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    ranges = b", ".join(value for name, value in scope["headers"] if name == b"range")
    return {
        **_moment(scope),
        "method": _cut(scope["method"].encode()),
        "target": _cut(without_signature(scope["raw_path"] + query)),
        "version": scope["http_version"],
        "range": _cut(ranges) or None,
        "request_id": request_id(scope["headers"]),
    }


def _cut(field: bytes) -> str:
    """Return the field as ASCII; three dots stand for the rest of a long one."""
    text = field[:_MAX_FIELD_BYTES].decode("ascii", "backslashreplace")
    return text if len(field) <= _MAX_FIELD_BYTES else f"{text}..."
