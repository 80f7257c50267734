"""Open and describe regular files, and turn errors of the operating system into DownloadErrors."""

import errno
import os
import stat
from dataclasses import replace
from functools import lru_cache
from struct import Struct
from typing import Final

from ..errors import DownloadError, Forbidden, IsDirectory, NotFound, SourceBusy, SourceError
from ..file_systems import has_fixed_times
from ..open_file import OpenFile
from ..semantics.dates import known_date
from ..semantics.etags import ETag
from ..semantics.representation import Representation, Validators
from ..threads import MustWait
from .base import EtagKind
from .media_types import media_type

__all__ = [
    "OUT_OF_DESCRIPTORS",
    "describe",
    "etag_of_digest",
    "etag_of_version",
    "map_os_errors",
    "map_read_errors",
    "open_regular",
    "pack_version",
    "validators_of",
    "with_digest",
]


_NOT_FOUND: Final = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.ENXIO,
    errno.ENODEV,
    errno.EINVAL,
}
OUT_OF_DESCRIPTORS: Final = {errno.EMFILE, errno.ENFILE}  # of this process, or of the system
_FORBIDDEN: Final = {errno.EACCES, errno.EPERM}
# No descriptor or memory is free, or a network file system does not respond.
_BUSY: Final = {*OUT_OF_DESCRIPTORS, errno.ENOMEM, errno.EAGAIN, errno.EWOULDBLOCK, errno.EBUSY, errno.ETIMEDOUT}
# Seconds and nanoseconds are separate, because from 2262 on nanoseconds since 1970 need more than 64 bits.
_VERSION: Final = Struct("<2Q3q2I")


class map_os_errors:  # noqa: N801 - it is used as a context manager, in the `with` statement only
    """Turn the OSError of a block into the DownloadError that it means. `subject` begins the message for the log.

    This is a class because it takes less time than a generator, and every read of a file uses it.
    """

    __slots__ = ("_subject",)

    def __init__(self, subject: str) -> None:
        self._subject = subject

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise self._error_type(error)(f"{self._subject!r}: {error.strerror}") from error
        if isinstance(error, UnicodeEncodeError):  # a path cannot have this character
            raise NotFound(f"{self._subject!r}: {error}") from error

    def _error_type(self, error: OSError) -> type[DownloadError]:
        if error.errno in _NOT_FOUND:
            return NotFound
        if error.errno == errno.EISDIR:
            return IsDirectory
        if error.errno in _FORBIDDEN:
            return Forbidden
        return SourceBusy if error.errno in _BUSY else SourceError


class map_read_errors(map_os_errors):  # noqa: N801 - as above
    """Do the same for an open file. It exists and may be read, so every error becomes a SourceError."""

    __slots__ = ()

    def _error_type(self, error: OSError) -> type[DownloadError]:
        return SourceBusy if error.errno in _BUSY else SourceError


def open_regular(path: str) -> tuple[OpenFile, os.stat_result]:
    """Open a regular file and return it with its status. It never blocks on a FIFO without a writer.

    Raises OSError if the path cannot be opened or is not a regular file. Raises MustWait if another program has a lease
    on the file (fcntl(2), F_SETLEASE); the kernel then asks that program to give it up.
    """
    try:
        file = OpenFile(path)
    except BlockingIOError:
        raise MustWait from None
    status = file.status
    if stat.S_ISREG(status.st_mode):
        return file, status
    file.close()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.ENXIO, "Not a regular file", path)


def describe(
    status: os.stat_result, name: str, *, coding: str | None = None, negotiated: bool = False
) -> Representation:
    """Describe an open file by its status. `name` is its name without the suffix of its content coding."""
    is_weak = has_fixed_times(status)
    return _describe((status.st_mtime_ns, status.st_ctime_ns, status.st_size), name, coding, negotiated, is_weak)


def validators_of(status: os.stat_result, kind: EtagKind = "exact") -> Validators:
    """Return the ETag and the date of an open file.

    The ETag is strong, unless the file system does not record every change; then it is weak. A program that restores
    the modification time (`cp -p`, `rsync -t`) still sets a new change time (ctime), so every version has its own ETag.
    Only with "mtime", which does not use the change time, such a version has the old ETag.
    """
    version = status.st_mtime_ns, status.st_ctime_ns, status.st_size
    found = _validators(version, has_fixed_times(status))
    if kind != "mtime":
        return found
    return replace(found, etag=_etag((version[0], version[2]), is_weak=has_fixed_times(status)))


def etag_of_digest(digest: bytes) -> ETag:
    """Return the ETag of a file with that SHA-256 digest, wherever it is stored."""
    return ETag(digest.hex())


def with_digest(found: Representation, digest: bytes) -> Representation:
    """Return the description of a file whose ETag is made from its digest."""
    validators = replace(found.validators, etag=etag_of_digest(digest))
    return replace(found, validators=validators, ranges=True, digest=digest)


def pack_version(status: os.stat_result) -> bytes | None:
    """Return device, inode, times and size of a file in 48 bytes; None if another version could have the same."""
    if has_fixed_times(status):
        return None
    modified, nanoseconds = divmod(status.st_mtime_ns, 10**9)
    changed, change_nanoseconds = divmod(status.st_ctime_ns, 10**9)
    return _VERSION.pack(
        status.st_dev, status.st_ino, modified, changed, status.st_size, nanoseconds, change_nanoseconds
    )


def etag_of_version(version: bytes, kind: EtagKind = "exact") -> ETag:
    """Return the ETag that a file with this packed version has when it is opened while its digest is unknown."""
    _, _, modified, changed, size, nanoseconds, change_nanoseconds = _VERSION.unpack(version)
    modified_ns, changed_ns = modified * 10**9 + nanoseconds, changed * 10**9 + change_nanoseconds
    parts = (modified_ns, size) if kind == "mtime" else (modified_ns, changed_ns, size)
    return _etag(parts, is_weak=kind == "digest")


@lru_cache(maxsize=1024)
def _describe(
    version: tuple[int, int, int], name: str, coding: str | None, negotiated: bool, is_weak: bool
) -> Representation:
    """Describe a file. `version` is its modification time and change time in nanoseconds, and its size in bytes."""
    return Representation(
        size=version[2],
        media_type=media_type(name),
        coding=coding,
        validators=_validators(version, is_weak),
        filename=name,
        negotiated=negotiated,
    )


def _validators(version: tuple[int, int, int], is_weak: bool) -> Validators:
    return Validators(_etag(version, is_weak=is_weak), known_date(version[0] // 10**9))


def _etag(version: tuple[int, ...], *, is_weak: bool) -> ETag:
    return ETag("-".join(f"{part:x}" for part in version), weak=is_weak)
