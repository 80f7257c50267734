"""Read the listings of a server's folder and of all folders below it."""

from asyncio import gather
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
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
_MAX_DEPTH: Final = 64  # folders in folders; a link to a folder above would otherwise never end
_AT_ONCE: Final = 4  # folders that are listed at the same time
_MAX_ENTRIES: Final = 2_000_000  # of all folders; each entry takes about 500 bytes of memory
_MAX_BYTES: Final = 1024**3  # of all listings
_FREE_PAGES: Final = 200  # of one folder; further pages must have 50 entries on average, because pages may have no end
_MIN_ENTRIES: Final = 50
_UPGRADED: Final = {(None, 443), (80, None), (80, 443), (None, None)}  # ports before and after a redirect to https


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file below the folder; `segments` are the names that lead to it."""

    segments: tuple[str, ...]
    entry: ListedEntry


@dataclass(frozen=True, slots=True)
class UnreadableFolder:
    """A folder that could not be listed, or not completely."""

    url: str
    error: FetchError


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files are wanted. A pattern of `include` must match, if there are any, and no pattern of `exclude` may.

    A pattern with a slash is for the whole path below the folder, any other pattern for the name. A folder that
    `exclude` matches is not listed.

    >>> Selection(include=("*.iso",), exclude=("old",)).takes(("old", "a.iso"))
    True
    >>> Selection(exclude=("old",)).enters(("old",)), Selection(include=("a/*",)).takes(("a", "b"))
    (False, True)
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, segments: tuple[str, ...]) -> bool:
        """Return whether a file is wanted. The folders above it do not matter."""
        return (not self.include or _matches(self.include, segments)) and not _matches(self.exclude, segments)

    def enters(self, segments: tuple[str, ...]) -> bool:
        """Return whether a folder is listed."""
        return not _matches(self.exclude, segments)


def _matches(patterns: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    return any(
        fnmatchcase("/".join(segments) if "/" in each.strip("/") else segments[-1], each.strip("/"))
        for each in patterns
    )


Read = Callable[[str], Awaitable[Document]]


class _Pages:
    """Counts the pages of one folder. Each page names the next one, so a server could send pages without end."""

    def __init__(self) -> None:
        self._urls: set[str] = set()
        self._first: set[str] = set()
        self._entries = 0

    def add(self, page: "_Page") -> str | None:
        """Count a page. Return why the entries after it are not read; None if they are read or there are none."""
        listing = page.listing
        self._urls.add(page.url)
        if listing.next is None:
            return "the server lists only a part of this folder" if listing.truncated else None
        if listing.next in self._urls:  # the last page may name itself
            return None
        first = listing.entries[0].url if listing.entries else None
        if first in self._first:
            return "the pages of this folder repeat themselves"
        self._first.update([first] if first else ())
        self._entries += len(listing.entries)
        if (len(self._urls) - _FREE_PAGES) * _MIN_ENTRIES > self._entries:
            return f"the server lists {self._entries} entries in {len(self._urls)} pages, which seem to have no end"
        return None

    def has(self, url: str) -> bool:
        """Return whether a page was read."""
        return url in self._urls


class _Totals:
    """Counts the entries and the bytes of all listings of one walk."""

    def __init__(self) -> None:
        self._entries = self._bytes = 0

    def add(self, page: "_Page") -> None:
        """Count a page. Raises BadResponse if the listings are too large."""
        self._entries += len(page.listing.entries)
        self._bytes += page.size
        if self._entries > _MAX_ENTRIES or self._bytes > _MAX_BYTES:
            raise BadResponse(f"the folder has more than {_MAX_ENTRIES:,} entries or {_MAX_BYTES:,} bytes of lists")


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to list. `above` has the URLs of the folders above it, and `pages` its pages so far."""

    url: str
    segments: tuple[str, ...] = ()
    above: frozenset[str] = frozenset()
    pages: _Pages = field(default_factory=_Pages, compare=False)


async def walk(
    read: Read, url: str, selection: Selection | None = None
) -> AsyncGenerator[RemoteFile | UnreadableFolder]:
    """Yield the files below a folder, and each folder below it that cannot be listed completely.

    `read` gets the URL of a folder and returns its listing. Links and redirects that lead out of the folder are not
    followed. Raises NotAListing if the URL is no folder, and another FetchError if the folder itself cannot be listed,
    has moved to another host, or has too many files.
    """
    wanted, root, totals = selection or Selection(), "", _Totals()
    pending = [_Folder(url)]
    while pending:
        batch = [pending.pop() for _ in pending[:_AT_ONCE]]
        for folder, page in zip(batch, await gather(*(_page(read, each, root) for each in batch)), strict=True):
            if isinstance(page, FetchError):
                if not root:
                    raise page
                yield UnreadableFolder(folder.url, page)
            elif page.url not in folder.above:  # otherwise redirects lead back to a folder above
                root = root or _root(url, page.url)
                totals.add(page)
                missing = folder.pages.add(page)
                pending += _folders(folder, page, wanted, missing)
                for found in _files(folder, page, wanted, missing):
                    yield found


@dataclass(frozen=True, slots=True)
class _Page:
    url: str
    listing: FolderListing
    size: int


async def _page(read: Read, folder: _Folder, root: str) -> "_Page | FetchError":
    """Return a page of a folder's listing, or the error if there is none."""
    try:
        document = await read(folder.url)
        if root and segments_below(root, document.url) is None:
            return RefusedRedirect("a redirect out of the folder")
        # In a thread, because a long page takes many seconds, and other downloads must continue meanwhile.
        parse = partial(parse_listing, document.body, document.media_type, document.url)
        return _Page(document.url, await in_thread(parse), len(document.body))
    except FetchError as error:
        return error
    except ValueError as error:  # the listing has a malformed URL
        return BadResponse(str(error))


def _root(url: str, final: str) -> str:
    """Return the URL below which all files must be. Raises RefusedRedirect if the folder is now on another host.

    The caller's password and header fields are for the host of `url`. Each file would send them to the other host.
    """
    before, after = urlsplit(url), urlsplit(final)
    same_port = before.port == after.port or (before.port, after.port) in _UPGRADED
    if before.hostname != after.hostname or not same_port:
        raise RefusedRedirect(
            f"the folder is on another server now: {after.scheme}://{after.netloc.rpartition('@')[2]}"
        )
    return folder_of(final)


def _folders(folder: _Folder, page: _Page, wanted: Selection, missing: str | None) -> Iterator[_Folder]:
    """Yield the folders to list next: first the next page of this folder, unless it is `missing`, then its folders."""
    above = folder.above | {page.url}
    for entry in page.listing.entries:
        segments = (*folder.segments, entry.name)
        if entry.is_folder and len(segments) <= _MAX_DEPTH and wanted.enters(segments):
            yield _Folder(entry.url, segments, above)
    if page.listing.next and missing is None and not folder.pages.has(page.listing.next):
        yield replace(folder, url=page.listing.next)


def _files(
    folder: _Folder, page: _Page, wanted: Selection, missing: str | None
) -> Iterator[RemoteFile | UnreadableFolder]:
    """Yield the files of a page, and the folder itself if further entries are `missing`."""
    for entry in page.listing.entries:
        segments = (*folder.segments, entry.name)
        if not entry.is_folder and wanted.takes(segments):
            yield RemoteFile(segments, entry)
    if missing is not None:
        yield UnreadableFolder(folder.url, BadResponse(missing))
