"""Files that clients have uploaded, as a view gets them from its framework: in memory if small, else on the disk."""

import asyncio
import io
import threading
from collections.abc import AsyncGenerator
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Final

from ..errors import SourceTruncated
from ..semantics.ranges import ByteRange
from ..semantics.representation import Representation
from ..threads import STREAM_THREADS, in_thread

__all__ = ["SpooledSource", "unwrapped"]


_CHUNK_BYTES: Final = 256 * 1024
_FILES: Final = ("file", "stream")  # attributes of the uploads of Starlette, then of Werkzeug and Quart
_OF_UPLOADS: Final = ("headers", "filename")  # in this order: Python 3.11 warns if a program reads `GzipFile.filename`


def unwrapped(given: object) -> object:
    """Return the temporary file in an upload, which can seek. Return any other object unchanged.

    An object without the attributes of an upload may change the bytes of the file that it reads, for example decrypt
    them.
    """
    if not all(hasattr(given, name) for name in _OF_UPLOADS):
        return given
    for name in _FILES:
        file = getattr(given, name, None)
        if isinstance(file, (io.BytesIO, SpooledTemporaryFile)):
            return file
    return given


class SpooledSource:
    """A temporary file from its current position to its end. Threads read it, because it may be on a disk.

    Owner: the caller. It closes the source, which closes the file.
    """

    def __init__(self, file: "SpooledTemporaryFile[bytes]") -> None:
        self._file = file
        self._lock = threading.Lock()  # a thread whose caller was cancelled may still read
        self._start = file.tell()
        size = file.seek(0, io.SEEK_END) - self._start
        file.seek(self._start)
        self.representation: Representation = Representation(max(size, 0))

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield the span in chunks of up to 256 KiB. Raises SourceTruncated if the file is shorter now."""
        offset, stop = self._start + span.start, self._start + span.stop
        while offset < stop:
            reading = partial(self._read, offset, min(_CHUNK_BYTES, stop - offset))
            chunk = await in_thread(reading, executor=STREAM_THREADS)
            if not chunk:
                raise SourceTruncated(f"the temporary file ended at byte {offset}")
            offset += len(chunk)
            yield chunk

    def _read(self, offset: int, count: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            return self._file.read(count)

    async def aclose(self) -> None:
        """Close the file after a running read has ended, even if the caller is cancelled meanwhile."""
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(STREAM_THREADS, self._close))

    def _close(self) -> None:
        with self._lock:
            self._file.close()
