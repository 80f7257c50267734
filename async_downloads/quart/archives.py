"""`send_archive`: files, folders and sources as one zip or tar."""

import errno
import os
from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import Final, NamedTuple, Unpack

from quart import current_app

from ..recent_paths import open_in_thread
from ..sources.archive.entries import describe_entry, is_described, member_of
from ..sources.archive.member import ArchiveMember
from ..sources.archive.source import ArchiveKind, ArchiveSource
from ..sources.archive.walk import ArchiveLimits, members_below
from ..sources.base import Entry, Source
from ..sources.directory import DirectoryStore
from ..sources.paths import PathLike
from ..threads import ARCHIVE_THREADS, in_thread
from .response import DownloadResponse
from .send import ContentOptions, send_source

__all__ = ["ArchiveItem", "send_archive"]


ArchiveItem = PathLike | Source | tuple[PathLike | Source, str]
_LIMITS: Final = ArchiveLimits(size=2**62, entries=1_000_000)  # some 500 MB of memory


async def send_archive(
    members: Iterable[ArchiveItem],
    name: str,
    *,
    hidden: bool = False,
    as_attachment: bool = True,
    **options: Unpack[ContentOptions],
) -> DownloadResponse:
    """Return a response with an archive that is made while it is sent; it has a length, a strong ETag and ranges.

    A member is a path or a source, or one of these and its name in the archive, with `/` between folders. A path is
    relative to `app.root_path`. The path of a folder stands for all files below it that DirectoryStore shows; `hidden`
    adds files whose names begin with a dot. Without a name in the archive, a source has the name of its representation.
    `name` is the name of the archive, which is a tar if it ends with `.tar`, else a zip. `options` are those of
    `send_file`.

    The sources are closed with the response, or when this raises an error. Raises OSError for a path that leads to
    nothing that can be read, ValueError for a source without a name or a size, ArchiveTooLarge for a folder of more
    than a million entries, and SourceError if a file system does not respond.
    """
    items = [item if isinstance(item, tuple) else (item, None) for item in members]
    try:
        found = [member for item, arcname in items async for member in _members(item, arcname, hidden=hidden)]
        stem, kind = _stem_and_kind(name)
        archive = await in_thread(partial(ArchiveSource, found, stem, kind), executor=ARCHIVE_THREADS)
    except BaseException:
        for item, _ in items:
            if isinstance(item, Source):
                await item.aclose()
        raise
    return await send_source(archive, as_attachment=as_attachment, **options)


async def _members(item: PathLike | Source, arcname: str | None, *, hidden: bool) -> AsyncIterator[ArchiveMember]:
    """Yield the members that an item stands for."""
    if isinstance(item, Source):
        name = arcname or item.representation.filename
        if not name:
            raise ValueError("a source without a file name needs a name in the archive")
        yield ArchiveMember.of_source(name, item)
        return
    path = _full_path(item)
    name = os.path.basename(path) if arcname is None else arcname
    store, entry = await open_in_thread(path, partial(_look, path, hidden=hidden))
    if entry is None:
        for member in await members_below(store, "", name, limits=_LIMITS):
            yield member
    elif is_described(store, entry):
        yield member_of(store, entry.name, name, entry)
    elif described := await describe_entry(store, entry.name, name, entry, seconds=0):
        yield described


def _full_path(path: PathLike) -> str:
    return os.path.normpath(os.path.join(current_app.root_path, path))


class _Looked(NamedTuple):
    """A store, and the entry of one file in it; None stands for the whole store."""

    store: DirectoryStore
    entry: Entry | None


def _look(path: str, *, hidden: bool) -> _Looked:
    """Return the store and the entry of a path. Raises OSError if the path cannot be read."""
    if os.path.isdir(path):
        return _Looked(DirectoryStore(path, hidden=hidden, precompressed=False), None)
    parent, name = os.path.split(path)
    os.stat(path)  # for its error
    store = DirectoryStore(parent, hidden=True, follow_symlinks=True, precompressed=False)
    entry = store.entry(name)
    if entry is None:
        raise OSError(errno.ENXIO, "Not a regular file", path)
    if not entry.is_readable:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return _Looked(store, entry)


def _stem_and_kind(name: str) -> tuple[str, ArchiveKind]:
    """Return the name of an archive without its suffix, and its kind.

    >>> _stem_and_kind("reports.zip"), _stem_and_kind("all.tar"), _stem_and_kind("2026.10")
    (('reports', 'zip'), ('all', 'tar'), ('2026.10', 'zip'))
    """
    if name.endswith(".tar"):
        return name.removesuffix(".tar"), "tar"
    return name.removesuffix(".zip"), "zip"
