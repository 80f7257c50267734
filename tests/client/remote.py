"""A server inside the process that follows a script, request by request."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx

__all__ = [
    "MIB",
    "URL",
    "Fault",
    "Remote",
    "ScriptedBody",
    "broken",
    "cut",
    "ignoring_range",
    "names",
    "refused",
    "sha256",
    "with_fields",
]

MIB = 1024 * 1024
URL = "http://example.com/folder/file.bin"
DATE = "Sat, 21 Nov 2026 12:00:00 GMT"

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")

Fault = Callable[["Remote", httpx.Request], httpx.Response]


class ScriptedBody(httpx.AsyncByteStream):
    """The chunks of a body; then the end, an error, or nothing more if it `hangs`."""

    def __init__(self, segments: Iterable[bytes], error: Exception | None = None, *, hangs: bool = False) -> None:
        self._segments = segments
        self._error = error
        self._hangs = hangs
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for segment in self._segments:
            await asyncio.sleep(0)
            yield segment
        if self._hangs:
            await asyncio.Event().wait()
        if self._error:
            raise self._error

    async def aclose(self) -> None:
        """Note that the body was closed."""
        self.closed = True


@dataclass
class Remote:
    """One resource. Each of `faults` makes the response to one of the first requests; None is a correct response."""

    content: bytes = field(default_factory=lambda: Random(0).randbytes(3 * MIB + 7))
    etag: str | None = '"a"'
    fields: dict[str, str] = field(default_factory=dict)
    faults: list[Fault | None] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    segment: int = 64 * 1024

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Respond to a request."""
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else None
        return fault(self, request) if fault else self.respond(request)

    def respond(self, request: httpx.Request) -> httpx.Response:
        """Return a correct response."""
        fields = {"Date": DATE, **({"ETag": self.etag} if self.etag else {}), **self.fields}
        if self.etag and request.headers.get("if-none-match") == self.etag:
            return httpx.Response(304, headers=fields)
        wanted = _RANGE.fullmatch(request.headers.get("range", ""))
        validators = (self.etag, self.fields.get("Last-Modified"))
        if wanted is None or request.headers.get("if-range", self.etag) not in validators:
            return self.streamed(200, fields, self.content)
        start, stop = int(wanted[1]), min(int(wanted[2] or len(self.content)) + 1, len(self.content))
        if start >= stop:
            return self.streamed(416, {"Content-Range": f"bytes */{len(self.content)}"}, b"")
        fields["Content-Range"] = f"bytes {start}-{stop - 1}/{len(self.content)}"
        return self.streamed(206, fields, self.content[start:stop])

    def streamed(self, status: int, fields: dict[str, str], content: bytes) -> httpx.Response:
        """Return a response with a streamed body."""
        segments = [content[at : at + self.segment] for at in range(0, len(content), self.segment)]
        return httpx.Response(
            status, headers={"Content-Length": str(len(content)), **fields}, stream=ScriptedBody(segments)
        )

    def client(self) -> httpx.AsyncClient:
        """Return an httpx client whose only server is this one."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self))

    @property
    def ranges(self) -> list[str | None]:
        """The requested ranges."""
        return [request.headers.get("range") for request in self.requests]


def cut(after: int) -> Fault:
    """Break the connection after this number of bytes."""

    def fault(remote: Remote, request: httpx.Request) -> httpx.Response:
        response = remote.respond(request)
        start = int(response.headers.get("content-range", "bytes 0-").removeprefix("bytes ").partition("-")[0])
        length = min(after, int(response.headers["content-length"]))
        stream = ScriptedBody([remote.content[start : start + length]], httpx.ReadError("reset"))
        return httpx.Response(response.status_code, headers=response.headers, stream=stream)

    return fault


def refused(status: int, **fields: str) -> Fault:
    """Respond with a status. An underscore in a field's name is a hyphen."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return lambda remote, request: httpx.Response(status, headers=named)


def broken(error: Exception) -> Fault:
    """Raise an error in place of a response."""

    def fault(remote: Remote, request: httpx.Request) -> httpx.Response:
        raise error

    return fault


def ignoring_range(remote: Remote, request: httpx.Request) -> httpx.Response:
    """Respond with the whole file."""
    return remote.respond(httpx.Request("GET", request.url))


def with_fields(**fields: str) -> Fault:
    """Respond with changed fields. An underscore in a name is a hyphen; an empty value removes the field."""

    def fault(remote: Remote, request: httpx.Request) -> httpx.Response:
        response = remote.respond(request)
        for name, value in fields.items():
            response.headers[name.replace("_", "-")] = value
            if not value:
                del response.headers[name.replace("_", "-")]
        return response

    return fault


def names(path: Path) -> list[str]:
    """Return the names in the folder of a path."""
    return sorted(each.name for each in path.parent.iterdir())


def sha256(content: bytes) -> str:
    """Return a checksum as a user writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
