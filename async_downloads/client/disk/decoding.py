"""Remove the content coding from a complete file if its checksum shows that the coding is not part of the file."""

import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from ...semantics.codings import GZIP_MEMBER, GZIP_OR_ZLIB
from ..checksum import Checksum
from .part_file import PartFile
from .targets import map_disk_errors

__all__ = ["decode_file", "decode_part", "is_decoded"]


_READ_BYTES: Final = 1024 * 1024


def decode_part(part_file: PartFile, checksum: Checksum) -> int | None:
    """Decode a part file if it then has this checksum, and return its new size in bytes. Otherwise return None.

    Blocks on the disk. Raises DiskError.
    """
    with map_disk_errors(part_file.part):
        if not is_decoded(part_file.fd, checksum):
            return None
        part_file.forget()
        return decode_file(part_file.fd, part_file.part.parent)


def is_decoded(fd: int, checksum: Checksum) -> bool:
    """Return whether the decoded content of an open file has this checksum. Blocks on the disk.

    The decoded bytes are not stored, because a small file may decode to one that fills the disk.
    """
    hashed = hashlib.new(checksum.algorithm, usedforsecurity=False)
    try:
        for chunk in _decoded(fd):
            hashed.update(chunk)
    except zlib.error:
        return False
    return hashed.digest() == checksum.digest


def decode_file(fd: int, directory: Path) -> int:
    """Decode an open file in place, and return its new size in bytes. Blocks on the disk. Raises OSError."""
    with TemporaryFile(dir=directory) as copy:
        for chunk in _decoded(fd):
            copy.write(chunk)
        copy.seek(0)
        os.ftruncate(fd, 0)
        size = 0
        while chunk := copy.read(_READ_BYTES):
            size += os.pwrite(fd, chunk, size)
            copy.seek(size)
        return size


def _decoded(fd: int) -> Iterator[bytes]:
    """Yield the decoded content in chunks of at most 1 MiB. Raises zlib.error if it is damaged or incomplete."""
    decoder, offset = zlib.decompressobj(GZIP_OR_ZLIB), 0
    while chunk := os.pread(fd, _READ_BYTES, offset):
        offset += len(chunk)
        while chunk:
            if decoder.eof and not chunk.startswith(GZIP_MEMBER):  # gzip and browsers ignore other bytes, as padding
                return
            if decoder.eof:  # RFC 1952 §2.2: another member may follow
                decoder = zlib.decompressobj(GZIP_OR_ZLIB)
            yield decoder.decompress(chunk, _READ_BYTES)
            chunk = decoder.unconsumed_tail or decoder.unused_data
    if not decoder.eof:
        raise zlib.error("the end is missing")
