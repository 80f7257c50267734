"""An S3 server that misbehaves. Each object is `DATA`; its key says what is wrong with it."""

import re
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Final

from harness.scripted import Connection, head

__all__ = ["DATA", "FaultyS3"]

DATA: Final = Random(3).randbytes(1024 * 1024)
_TARGET: Final = re.compile(r"(?P<method>GET|HEAD) /bucket/?(?P<key>[^ ?]*)(?P<query>\S*) ")
_DATE: Final = "last-modified: Tue, 14 Nov 2023 22:13:20 GMT"
_ODD_LIST: Final = b"""<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>
<IsTruncated>false</IsTruncated><CommonPrefixes><Prefix>odd/sub/</Prefix></CommonPrefixes>
<CommonPrefixes><Prefix>odd//</Prefix></CommonPrefixes><Contents><Key>odd/a+%C3%BC%01</Key><Size>1</Size>
<LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>"x"</ETag></Contents><Contents><Key>odd/b+c</Key>
<Size>2</Size><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>"y"</ETag></Contents></ListBucketResult>"""
_EMPTY_LIST: Final = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
_ERRORS: Final = {
    "busy": "503 Slow Down",
    "denied": "403 Forbidden",
    "forbidden": "403 Forbidden",
    "unknown": "403 Forbidden",
    "missing": "404 Not Found",
    "unlisted": "404 Not Found",
    "odd": "404 Not Found",
    "xml": "404 Not Found",
    "moved": "301 Moved Permanently",
    "expired": "400 Bad Request",
}
_LIST_ERRORS: Final = {"unlisted": "AccessDenied", "unknown-owner": "InvalidAccessKeyId"}
_LATER_ERRORS: Final = {
    "busy-later": "503 Slow Down",
    "forbidden-later": "403 Forbidden",
    "gone-later": "404 Not Found",
    "replaced-later": "412 Precondition Failed",
    "moved-later": "301 Moved Permanently",
    "expired-later": "400 Bad Request",
}
_CODES: Final = {
    "denied": "AccessDenied",
    "unknown": "InvalidAccessKeyId",
    "expired": "ExpiredToken",
    "expired-later": "ExpiredToken",
}
_SIZES: Final = {"empty": 0, "one-chunk": 64 * 1024, "two-chunks": 128 * 1024}
_CONTENT_RANGES: Final = {
    "endless": f"bytes 0-65535/{2**63}",
    "no-size": "bytes 0-65535/*",
    "odd-range": "items 1-2/3",
    "no-content-range": "",
}


@dataclass
class FaultyS3:
    """The script of a server, and how often each key was requested."""

    requests: Counter[str] = field(default_factory=Counter)

    async def __call__(self, connection: Connection) -> None:
        """Respond to the requests of one connection."""
        while True:
            try:
                request = await connection.request()
            except EOFError:
                return
            if not await self._respond(connection, request):
                return

    async def _respond(self, connection: Connection, request: str) -> bool:
        """Respond to one request; return whether the connection can be used again."""
        target = _TARGET.match(request)
        assert target, request
        key = target["key"]
        if "list-type" in target["query"]:
            await self._send_list(connection, target["query"])
            return True
        self.requests[key] += 1
        if key == "stalled" and "range: bytes=0-" not in request.lower():
            await connection.left()
            return False
        if status := self._error(key, request):
            body = _error_body(_CODES[key]) if key in _CODES else b""
            has_body = target["method"] == "GET"
            await connection.send(head(f"content-length: {len(body)}", status=status), body if has_body else b"")
            return True
        return await self._send_object(connection, request, key, has_body=target["method"] == "GET")

    async def _send_list(self, connection: Connection, query: str) -> None:
        for prefix, code in _LIST_ERRORS.items():
            if f"prefix={prefix}" in query:
                body = _error_body(code)
                await connection.send(head(f"content-length: {len(body)}", status="403 Forbidden"), body)
                return
        listed = _EMPTY_LIST
        if "prefix=odd" in query or ("prefix=xml" in query and "X-Amz-Signature" in query):
            listed = _ODD_LIST
        elif "prefix=xml" in query:
            listed = b"<ListBucketResult><Contents><Key>&#1;"
        await connection.send(head(f"content-length: {len(listed)}"), listed)

    def _error(self, key: str, request: str) -> str | None:
        number = self.requests[key]
        if key == "busy-once" and number == 1:
            return "503 Slow Down"
        if key == "weak-etag" and "if-match:" in request.lower():
            return "412 Precondition Failed"
        return _ERRORS.get(key) or (_LATER_ERRORS.get(key) if number > 1 else None)

    async def _send_object(self, connection: Connection, request: str, key: str, *, has_body: bool) -> bool:
        found = re.search(r"^range: bytes=(\d+)-(\d+)", request, re.IGNORECASE | re.MULTILINE)
        fields = [_DATE, *([] if key == "no-etag" else [f"etag: {self._etag(key)}"])]
        fields += ["content-encoding: gzip"] if key == "coded" else []
        data, status = DATA[: _SIZES.get(key, len(DATA))], "200 OK"
        if found and not self._ignores_ranges(key):
            span = self._span(key, int(found[1]), int(found[2]) + 1)
            if span.start >= len(data):
                await connection.send(head("content-length: 0", status="416 Range Not Satisfiable"))
                return True
            size = len(data) + (1000 if key == "too-long" else 0)
            data, status = data[span.start : span.stop], "206 Partial Content"
            content_range = _CONTENT_RANGES.get(key, f"bytes {span.start}-{span.start + len(data) - 1}/{size}")
            fields += [f"content-range: {content_range}"] if content_range else []
        await connection.send(head(*fields, f"content-length: {len(data)}", status=status))
        if not has_body:
            return True
        is_cut = key == "cut" and self.requests[key] > 1
        await connection.send(data[: len(data) // 2] if is_cut else data)
        return not is_cut

    def _ignores_ranges(self, key: str) -> bool:
        return key == "no-ranges" or (key == "whole-later" and self.requests[key] > 1)

    def _span(self, key: str, start: int, stop: int) -> range:
        """Return the part that is sent for the one that is asked for."""
        stop = min(stop, len(DATA))
        if key == "other-part" and self.requests[key] > 1:
            return range(start - 1, stop - 1)
        if key == "short-part" and self.requests[key] > 1:
            return range(start, (start + stop) // 2)
        return range(start, stop)

    def _etag(self, key: str) -> str:
        """Return the ETag. A server that ignores If-Match sends another version."""
        if key == "weak-etag":
            return 'W/"v1"'
        return f'"v{min(self.requests[key], 2)}"' if key == "replaced" else '"v1"'


def _error_body(code: str) -> bytes:
    return f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()
