"""Open and describe the content that a view sends: a path, bytes, a file object, an iterator or a source.

The adapters of all frameworks use this module, so that the same content gets the same response in each of them.
"""

import calendar
import io
import os
import re
import time
from collections.abc import AsyncIterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from typing import IO, Any, Final, NamedTuple, Protocol
from urllib.parse import quote

from .errors import SourceBusy
from .recent_paths import RecentPaths, open_in_thread
from .responder import boundary_secret
from .semantics.disposition import Disposition
from .semantics.etags import ETag
from .semantics.plan import Policy
from .semantics.representation import Field, Representation, Validators
from .sources.base import EtagKind, Source
from .sources.directory_file import DirectoryFile
from .sources.opening import OUT_OF_DESCRIPTORS, describe, open_regular
from .sources.paths import PathLike
from .sources.streams import source_of

__all__ = [
    "BinaryFile", "Chunks", "Content", "Moment", "OpenedContent", "UploadedFile", "described",
    "etag_of", "open_content", "opened_now", "policy_of",
]  # fmt: skip


Chunks = AsyncIterable[bytes | str] | Iterator[bytes | str]
BinaryFile = IO[bytes] | io.BufferedIOBase | io.RawIOBase


class UploadedFile(Protocol):
    """A file that a client has uploaded, as Starlette, FastAPI, Werkzeug and Quart give it to a view."""

    @property
    def filename(self) -> str | None: ...
    @property
    def headers(self) -> Any: ...


Content = PathLike | bytes | bytearray | memoryview | BinaryFile | Chunks | UploadedFile | Source
Moment = date | time.struct_time | float
_recent_paths: Final = RecentPaths()
_NOT_IN_A_TAG: Final = re.compile(r"[^\x21-\x7e]")  # a quote is left to ETag, which raises ValueError
_LIKE_A_PATH: Final = re.compile(rb"[^\0-\x1f]{0,255}/[^\0-\x1f]{1,255}")


class OpenedContent(NamedTuple):
    """A source, and its path if it has one. `typed` says that its own media type is used, not that of its name."""

    source: Source
    path: str | None
    typed: bool


async def open_content(content: object, root: str = "", *, kind: EtagKind = "exact") -> OpenedContent:
    """Open the content of a view. A path is relative to `root`, and `kind` says how the ETag of its file is made.

    Raises OSError if a path cannot be opened, SourceBusy if the process has no free descriptor, ValueError for a file
    in text mode, and TypeError for bytes that are the path of a file, and for objects of any other type.
    """
    if isinstance(content, OpenedContent):
        return content
    try:
        if isinstance(content, (str, os.PathLike)):
            return await _open_path(_absolute(root, content), kind)
        if isinstance(content, bytes):
            await _refuse_path(content, root)
        return opened_now(content)
    except OSError as error:
        if error.errno in OUT_OF_DESCRIPTORS:  # this is not a mistake of the view
            raise SourceBusy(f"{content!r}: {error.strerror}") from error
        raise


def opened_now(content: object) -> OpenedContent:
    """Return a source for any content except a path. Raises TypeError and ValueError as `open_content` does."""
    source = content if isinstance(content, Source) else source_of(content)
    return OpenedContent(source, None, typed=source is content)


def _absolute(root: str, content: PathLike) -> str:
    """Return an absolute path, which is needed to find its file system."""
    path = os.path.join(root, content)
    return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)


async def _open_path(path: str, kind: EtagKind) -> OpenedContent:
    file = await _recent_paths.open(path, partial(_open_file, path, kind), discard=DirectoryFile.close)
    return OpenedContent(file, path, typed=False)


def _open_file(path: str, kind: EtagKind) -> DirectoryFile:
    file, status = open_regular(path)
    return DirectoryFile(file, describe(status, os.path.basename(path)), path=path, kind=kind)


async def _refuse_path(content: bytes, root: str) -> None:
    """Raise TypeError if the bytes are the path of a file, because they would be sent as the content."""
    if _LIKE_A_PATH.fullmatch(content):
        path = _absolute(root, os.fsdecode(content))
        if await open_in_thread(path, partial(os.path.isfile, path)):
            raise TypeError(f"{content!r} is a path as bytes: use os.fsdecode(path)")


def described(
    found: Representation,
    *,
    filename: str | None,
    media_type: str,
    etag: bool | ETag,
    last_modified: Moment | None,
) -> Representation:
    """Return the description of a representation with the name, the type and the validators that a view has set.

    With `etag=False` it has no ETag; with `etag=True` it has that of the file. `last_modified` is in seconds since
    1970, or a date, which may have a time; without a time zone it is in UTC.
    """
    validators = _validators(found.validators, etag, last_modified)
    if (filename, media_type, validators) == (found.filename, found.media_type, found.validators):
        return found
    return replace(found, filename=filename, media_type=media_type, validators=validators)


def _validators(found: Validators, etag: bool | ETag, last_modified: Moment | None) -> Validators:
    tag = etag if isinstance(etag, ETag) else found.etag if etag else None
    return Validators(tag, found.last_modified if last_modified is None else _seconds(last_modified))


def _seconds(moment: Moment) -> int:
    if isinstance(moment, datetime):
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    elif isinstance(moment, date):
        moment = moment.timetuple()
    return calendar.timegm(moment) if isinstance(moment, time.struct_time) else int(moment)


def etag_of(given: bool | str) -> bool | ETag:
    """Return the ETag for a text; characters that it cannot have are percent-encoded. Raises ValueError for a quote.

    >>> str(etag_of("é v1")), etag_of(True)
    ('"%C3%A9%20v1"', True)
    """
    return ETag(_NOT_IN_A_TAG.sub(_percent_encoded, given)) if isinstance(given, str) else given


def _percent_encoded(found: re.Match[str]) -> str:
    return quote(found[0])


@lru_cache(maxsize=64)
def policy_of(
    *, attachment: bool, has_name: bool, conditional: bool, fields: tuple[Field, ...], secret: str | bytes | None = None
) -> Policy:
    """Return the policy of a view's response. Without `attachment`, browsers show a file that has a name."""
    disposition: Disposition | None = "attachment" if attachment else "inline" if has_name else None
    return Policy(disposition=disposition, conditional=conditional, fields=fields, secret=boundary_secret(secret))
