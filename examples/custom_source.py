"""A store of your own: the files in a zip archive, served without unpacking it.

Name an archive and start the app in the folder of this program:

    python -m zipfile -c archive.zip custom_source.py README.md
    ARCHIVE=archive.zip async-downloads run custom_source:app

Then read a file of the archive, or a part of one:

    curl http://127.0.0.1:8000/README.md
    curl -r 0-9 http://127.0.0.1:8000/README.md

A store opens a source for a key. A source describes one version of a file and reads any part of it. Conditions, ranges,
HEAD, errors and slow clients are the work of `Downloads`.
"""

import asyncio
import mimetypes
import os
from collections.abc import AsyncGenerator, Sequence
from zipfile import BadZipFile, ZipFile, ZipInfo

from async_downloads import Downloads
from async_downloads.errors import IsDirectory, NotFound, SourceTruncated
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation, Validators

CHUNK_BYTES = 256 * 1024


class ZipSource:
    """One file of an archive. Its checksum and its size are its ETag, because they change with the content."""

    def __init__(self, archive: ZipFile, member: ZipInfo) -> None:
        self._archive = archive
        self._member = member
        self.representation = Representation(
            size=member.file_size,
            media_type=mimetypes.guess_type(member.filename)[0] or "application/octet-stream",
            validators=Validators(etag=ETag(f"{member.CRC:08x}-{member.file_size:x}")),
            filename=member.filename.rpartition("/")[2],
        )

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the span. Threads read them, so the event loop serves other clients meanwhile."""
        left = len(span)
        with await asyncio.to_thread(self._archive.open, self._member) as file:
            try:
                await asyncio.to_thread(file.seek, span.start)
                while left and (chunk := await asyncio.to_thread(file.read, min(left, CHUNK_BYTES))):
                    left -= len(chunk)
                    yield chunk
            except (BadZipFile, EOFError) as error:
                raise SourceTruncated(f"{self._member.filename} is damaged") from error
        if left:
            raise SourceTruncated(f"{self._member.filename} lacks {left} bytes")

    async def aclose(self) -> None:
        """Do nothing: a source holds no resource between two reads."""


class ZipStore:
    """The files of an archive; the key of a file is its name in the archive."""

    def __init__(self, path: str) -> None:
        self._archive = ZipFile(path)

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> ZipSource:
        """Open a file. Raises IsDirectory if the key is a folder, and NotFound if the archive has no such name."""
        names = self._archive.namelist()
        if not key or any(name.startswith(f"{key}/") for name in names):
            raise IsDirectory(key)
        if key not in names or key.endswith("/"):
            raise NotFound(key)
        return ZipSource(self._archive, self._archive.getinfo(key))


app = Downloads(ZipStore(os.environ.get("ARCHIVE", "archive.zip")))
