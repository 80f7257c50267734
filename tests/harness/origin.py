"""An origin server for one resource by RFC 9110, as short as possible: the right response to each request.

It shares nothing with the package, so that client and server cannot be wrong in the same way.
"""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final

from harness.versions import Version

__all__ = ["OriginResponse", "Request", "respond", "text"]

_RANGE: Final = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))", re.IGNORECASE)
_REASONS: Final = {200: "OK", 206: "Partial Content", 304: "Not Modified", 416: "Range Not Satisfiable"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request. The names in `fields` are in lower case."""

    method: str
    target: str
    fields: Mapping[str, str]

    @classmethod
    def parse(cls, head: bytes) -> "Request":
        """Read a request's head."""
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        named = (line.partition(":") for line in lines)
        return cls(method, target, {name.lower(): value.strip() for name, _, value in named})


@dataclass(frozen=True, slots=True)
class OriginResponse:
    """A response. The body is sent as it is, even if the fields do not match it."""

    status: int
    fields: Mapping[str, str]
    body: Iterable[bytes | memoryview] = field(default=(), repr=False)

    def head(self) -> bytes:
        """Return the status line and the fields."""
        fields = {"Date": _date(time.time()), **self.fields}
        lines = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Other')}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def respond(request: Request, version: Version) -> OriginResponse:
    """Return the response: the file, a range of it, or an error status (RFC 9110 §13.2.2, §14.2)."""
    described = {
        "ETag": version.etag,
        "Last-Modified": _date(version.modified),
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
    }
    if _named(request, "if-match", version) is False:
        return text(412, "another version\n")
    if _named(request, "if-none-match", version):
        return OriginResponse(304, described)
    asked = _asked(request, version)
    span = _selected(asked, version.size) if asked else range(version.size)
    if not span and asked:
        return text(416, "no such bytes\n", Content_Range=f"bytes */{version.size}")
    described["Content-Length"] = str(len(span))
    body = version.pieces(span.start, span.stop)
    if not asked:
        return OriginResponse(200, described, body)
    return OriginResponse(
        206, {**described, "Content-Range": f"bytes {span.start}-{span.stop - 1}/{version.size}"}, body
    )


def text(status: int, words: str, **fields: str) -> OriginResponse:
    """Return a response with a short text; an underscore in a field's name stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return OriginResponse(
        status, {"Content-Type": "text/plain", "Content-Length": str(len(words)), **named}, [words.encode()]
    )


def _named(request: Request, name: str, version: Version) -> bool | None:
    """Return whether a condition names the version, or None if there is no such condition."""
    value = request.fields.get(name)
    return None if value is None else value == "*" or version.etag in re.split(r"\s*,\s*", value)


def _asked(request: Request, version: Version) -> re.Match[str] | None:
    """Return the requested range, if it is one range and for this version; otherwise None.

    A server may send the whole file for several ranges, and for a field that it does not understand.
    """
    asked = _RANGE.fullmatch(request.fields.get("range", ""))
    mine = request.fields.get("if-range", version.etag) in (version.etag, _date(version.modified))
    return asked if mine and not (asked and asked[2] and int(asked[2]) < int(asked[1])) else None


def _selected(asked: re.Match[str], size: int) -> range:
    first, last, suffix = asked.groups()
    if suffix:
        return range(max(size - int(suffix), 0), size)
    return range(int(first), min(int(last or size), size - 1) + 1)


def _date(seconds: float) -> str:
    return formatdate(seconds, usegmt=True)
