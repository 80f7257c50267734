"""An S3 server that misbehaves. Each object is `SIZE` bytes; the beginning of its key says what is wrong with it."""

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
        self.requests[key] += 1
        if "list-type" in target["query"]:
            listed = _ODD_LIST if "prefix=odd" in target["query"] else _EMPTY_LIST
            await connection.send(head(f"content-length: {len(listed)}"), listed)
            return True
        if key == "stalled" and "range: bytes=0-" not in request.lower():
            await connection.left()
            return False
        if status := self._error(key):
            await connection.send(head("content-length: 0", status=status))
            return True
        return await self._send_object(connection, request, key, has_body=target["method"] == "GET")

    def _error(self, key: str) -> str | None:
        number = self.requests[key]
        if key == "busy-once" and number == 1:
            return "503 Slow Down"
        if key == "gone-later" and number > 1:
            return "404 Not Found"
        return {"busy": "503 Slow Down", "forbidden": "403 Forbidden", "missing": "404 Not Found"}.get(key)

    async def _send_object(self, connection: Connection, request: str, key: str, *, has_body: bool) -> bool:
        found = re.search(r"^range: bytes=(\d+)-(\d+)", request, re.IGNORECASE | re.MULTILINE)
        fields = [_DATE, *([] if key == "no-etag" else [f'etag: "{self._version(key)}"'])]
        data, status = DATA, "200 OK"
        if found and key != "no-ranges":
            start, stop = int(found[1]), min(int(found[2]) + 1, len(DATA))
            if start >= len(DATA):
                await connection.send(head("content-length: 0", status="416 Range Not Satisfiable"))
                return True
            data, status = DATA[start:stop], "206 Partial Content"
            fields.append(f"content-range: bytes {start}-{stop - 1}/{len(DATA)}")
        await connection.send(head(*fields, f"content-length: {len(data)}", status=status))
        if not has_body:
            return True
        is_cut = key == "cut" and self.requests[key] > 1
        await connection.send(data[: len(data) // 2] if is_cut else data)
        return not is_cut

    def _version(self, key: str) -> str:
        """Return the opaque part of the ETag. A server that ignores If-Match sends another version."""
        return f"v{min(self.requests[key], 2)}" if key == "replaced" else "v1"
