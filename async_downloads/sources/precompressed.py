"""Whether a precompressed file (`x.gz` beside `x`) may be sent instead of `x`.

While a compressor runs, and after it was killed, `x.gz` has only the beginning of the compressed data. So the file is
sent only if it has the modification time of `x`, which gzip, zstd and brotli set when they are done, or if it is newer
than `x` and was not written to for some seconds. The file must also be complete, as far as its format shows that.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from ..threads import MustWait, is_on_loop
from .files import FileSource
from .memory import MemorySource
from .opening import map_read_errors

__all__ = ["SUFFIXES", "RecentCodings", "is_complete", "is_settled"]


SUFFIXES: Final = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
_Read = Callable[[int, int], bytes]  # reads from an offset, up to a number of bytes
_SETTLED_NS: Final = 5 * 10**9
_SECOND_NS: Final = 10**9
_MAX_KNOWN: Final = 1024  # files
_LEAST_GZIP_BYTES: Final = 18  # the header and the trailer (RFC 1952 §2.3)
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_HEADER_BYTES: Final = 18  # the longest header of a frame, with its magic number
_SKIPPABLE_MAGIC: Final = b"\x2a\x4d\x18"  # after a byte from 0x50 to 0x5f
_SKIPPABLE_HEADER_BYTES: Final = 8  # the magic number and the size of the data
_BLOCK_HEADER_BYTES: Final = 3
_RLE: Final = 1  # the type of a block that repeats one byte
_known: "Final[OrderedDict[tuple[object, ...], bool]]" = OrderedDict()  # files that were checked


class RecentCodings:
    """The codings in which files were opened within the last second. During this second the choice is not made again.

    Owner: one DirectoryStore. A precompressed file that appears or becomes complete is sent only after that second. One
    that was removed, or is older than its file, is not sent even once more, because the chosen file is opened and
    checked again.
    """

    __slots__ = ("_chosen",)

    _MOST: Final = 4096
    _FRESH_SECONDS: Final = 1.0

    def __init__(self) -> None:
        self._chosen: dict[tuple[str, tuple[str, ...]], tuple[tuple[str, ...], float]] = {}

    def get(self, key: str, codings: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the chosen one of these codings; () if the file has none of them; None if that is unknown."""
        chosen, until = self._chosen.get((key, codings), ((), 0.0))
        return chosen if time.monotonic() < until else None

    def put(self, key: str, codings: tuple[str, ...], coding: str | None) -> None:
        """Remember which of these codings was chosen."""
        if len(self._chosen) >= self._MOST:
            self._chosen.clear()
        self._chosen[key, codings] = (coding,) if coding else (), time.monotonic() + self._FRESH_SECONDS


def is_settled(coded_ns: int, plain_ns: int) -> bool:
    """Return whether the times in nanoseconds show that the coded file was made from the plain file and is done."""
    if coded_ns in {plain_ns, plain_ns // _SECOND_NS * _SECOND_NS}:  # some compressors only set whole seconds
        return True
    return plain_ns <= coded_ns < time.time_ns() - _SETTLED_NS


def is_complete(source: FileSource | MemorySource, plain_size: int | None) -> bool:
    """Return whether the coded file is complete and decodes to `plain_size` bytes, as far as its format shows that.

    The result is remembered for each version of the file. Raises MustWait on the event loop if the file must be read.
    """
    if isinstance(source, MemorySource):
        return _is_complete(source, lambda offset, count: source.data[offset : offset + count], plain_size)
    key = (source.representation.coding, plain_size, *source.version)
    if key not in _known:
        if is_on_loop():
            raise MustWait
        with map_read_errors("reading"):
            _known[key] = _is_complete(source, source.read_here, plain_size)
        while len(_known) > _MAX_KNOWN:
            _known.pop(next(iter(_known)), None)
    return _known[key]


def _is_complete(source: FileSource | MemorySource, read: _Read, plain_size: int | None) -> bool:
    size = source.representation.size
    if not size or plain_size is None:
        return False
    match source.representation.coding:
        case "gzip":
            stated = (plain_size % 2**32).to_bytes(4, "little")  # the field ISIZE (RFC 1952 §2.3.1)
            return size >= _LEAST_GZIP_BYTES and read(size - 4, 4) == stated
        case "zstd":
            return _is_zstd(read, size, plain_size)
    return True


def _is_zstd(read: _Read, size: int, plain_size: int) -> bool:
    """Return whether the blocks lead exactly to the end of the file (RFC 8878 §3.1.1). Only their headers are read."""
    offset, stated = 0, 0
    while offset < size:
        header = read(offset, _ZSTD_HEADER_BYTES)
        if len(header) >= _SKIPPABLE_HEADER_BYTES and header[1:4] == _SKIPPABLE_MAGIC and header[0] >> 4 == 5:
            offset += _SKIPPABLE_HEADER_BYTES + int.from_bytes(header[4:8], "little")
        elif len(header) > 4 and header.startswith(_ZSTD_MAGIC):
            content = _zstd_content_size(header)
            stated = -1 if content is None or stated < 0 else stated + content
            offset = _end_of_blocks(read, offset + _zstd_header_size(header), size) + 4 * (header[4] >> 2 & 1)
        else:
            return False
    return offset == size and stated in {-1, plain_size}


def _zstd_sizes(descriptor: int) -> tuple[int, int, int]:
    """Return the sizes of the window, the dictionary's id and the content size in a frame header (§3.1.1.1)."""
    is_single = descriptor >> 5 & 1
    return 1 - is_single, (0, 1, 2, 4)[descriptor & 3], (is_single, 2, 4, 8)[descriptor >> 6]


def _zstd_header_size(header: bytes) -> int:
    return 5 + sum(_zstd_sizes(header[4]))


def _zstd_content_size(header: bytes) -> int | None:
    window, dictionary, content = _zstd_sizes(header[4])
    if not content:
        return None
    start = 5 + window + dictionary
    return int.from_bytes(header[start : start + content], "little") + (256 if content == 2 else 0)


def _end_of_blocks(read: _Read, offset: int, size: int) -> int:
    """Return where the last block of a frame ends; a value above `size` if the block is missing (§3.1.1.2)."""
    is_last = False
    while not is_last:
        if offset + _BLOCK_HEADER_BYTES > size:
            return size + 1
        block = int.from_bytes(read(offset, _BLOCK_HEADER_BYTES), "little")
        is_last = bool(block & 1)
        offset += _BLOCK_HEADER_BYTES + (1 if block >> 1 & 3 == _RLE else block >> 3)
    return offset
