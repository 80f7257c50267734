"""Walk through the folders of a server, from one folder down."""

from asyncio import gather
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from ...errors import BadResponse, FetchError, RefusedRedirect
from ...threads import in_thread
from ..document import Document
from .listing import FolderListing, ListedEntry, folder_of, parse_listing, segments_below

__all__ = ["LISTING", "RemoteFile", "Selection", "UnreadableFolder", "walk"]


LISTING: Final = "application/json, */*;q=0.1"  # the Accept field to which our server and Caddy respond with JSON
_MAX_DEPTH: Final = 64  # folders in folders: a link to a folder above itself would have no end
_AT_ONCE: Final = 4  # folders that are listed at the same time
_UPGRADED: Final = {(None, 443), (80, None), (80, 443), (None, None)}  # ports before and after a redirect to https


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file below the folder; `segments` are the names that lead to it."""

    segments: tuple[str, ...]
    entry: ListedEntry


@dataclass(frozen=True, slots=True)
class UnreadableFolder:
    """A folder that could not be listed, or only in part."""

    url: str
    error: FetchError


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files are wanted: those that a pattern of `include` matches (all if there is none) and none of `exclude`.

    A pattern with a slash is for the whole path below the folder, any other one for a name. A folder that `exclude`
    matches is not listed.

    >>> Selection(include=("*.iso",), exclude=("old",)).takes(("old", "a.iso"))
    True
    >>> Selection(exclude=("old",)).enters(("old",)), Selection(include=("a/*",)).takes(("a", "b"))
    (False, True)
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, segments: tuple[str, ...]) -> bool:
        """Whether a file is wanted; the folders above it are not looked at."""
        return (not self.include or _matches(self.include, segments)) and not _matches(self.exclude, segments)

    def enters(self, segments: tuple[str, ...]) -> bool:
        """Whether a folder is listed."""
        return not _matches(self.exclude, segments)


def _matches(patterns: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    return any(
        fnmatchcase("/".join(segments) if "/" in each.strip("/") else segments[-1], each.strip("/"))
        for each in patterns
    )


Read = Callable[[str], Awaitable[Document]]


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to list; `above` are the URLs of the lists that lead to it."""

    url: str
    segments: tuple[str, ...] = ()
    above: frozenset[str] = frozenset()


async def walk(
    read: Read, url: str, selection: Selection | None = None
) -> AsyncGenerator[RemoteFile | UnreadableFolder]:
    """Yield the files below a folder, and each folder below it that cannot be listed, wholly or in part.

    `read` gets the URL of a folder and returns its list. Links and redirects that lead out of the folder are not
    followed. Raises FetchError if the folder itself cannot be listed, or has moved to another host.
    """
    wanted, root = selection or Selection(), ""
    pending = [_Folder(url)]
    while pending:
        batch = [pending.pop() for _ in pending[:_AT_ONCE]]
        for folder, page in zip(batch, await gather(*(_page(read, each, root) for each in batch)), strict=True):
            if isinstance(page, FetchError):
                if not root:
                    raise page
                yield UnreadableFolder(folder.url, page)
            elif page.url not in folder.above:  # otherwise redirects lead in a circle
                root = root or _root(url, page.url)
                pending += _folders(folder, page, wanted)
                for found in _files(folder, page, wanted):
                    yield found


@dataclass(frozen=True, slots=True)
class _Page:
    url: str
    listing: FolderListing


async def _page(read: Read, folder: _Folder, root: str) -> "_Page | FetchError":
    """Return a folder's listing, or why there is none."""
    try:
        document = await read(folder.url)
        if root and segments_below(root, document.url) is None:
            return RefusedRedirect("a redirect out of the folder")
        # In a thread: a long page takes many seconds, in which other downloads must continue.
        parse = partial(parse_listing, document.body, document.media_type, document.url)
        return _Page(document.url, await in_thread(parse))
    except FetchError as error:
        return error
    except ValueError as error:  # no listing
        return BadResponse(str(error))


def _root(url: str, final: str) -> str:
    """Return the URL below which all others must be. Raises RefusedRedirect if the folder is now on another host.

    The caller's password and header fields are for the host of `url`; every file would send them to the other one.
    """
    before, after = urlsplit(url), urlsplit(final)
    same_port = before.port == after.port or (before.port, after.port) in _UPGRADED
    if before.hostname != after.hostname or not same_port:
        raise RefusedRedirect(
            f"the folder is on another server now: {after.scheme}://{after.netloc.rpartition('@')[2]}"
        )
    return folder_of(final)


def _folders(folder: _Folder, page: _Page, wanted: Selection) -> Iterator[_Folder]:
    """Yield the folders to list next: those in this one, and first the rest of this one."""
    above = folder.above | {page.url}
    for entry in page.listing.entries:
        segments = (*folder.segments, entry.name)
        if entry.is_folder and len(segments) <= _MAX_DEPTH and wanted.enters(segments):
            yield _Folder(entry.url, segments, above)
    if page.listing.next:
        yield _Folder(page.listing.next, folder.segments, above)


def _files(folder: _Folder, page: _Page, wanted: Selection) -> Iterator[RemoteFile | UnreadableFolder]:
    for entry in page.listing.entries:
        segments = (*folder.segments, entry.name)
        if not entry.is_folder and wanted.takes(segments):
            yield RemoteFile(segments, entry)
    if page.listing.truncated and not page.listing.next:
        yield UnreadableFolder(folder.url, BadResponse("the server lists only a part of this folder"))
