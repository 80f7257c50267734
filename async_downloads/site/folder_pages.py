"""The pages of a store's folders: each folder is read once, and each view of it is drawn once."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from ..errors import DownloadError, NotFound
from ..sending import Scope
from ..sources.base import Browsable, Listing, Store, VersionedListing
from ..sources.memory import MemorySource
from .browse import Folder, ReadmeText, as_html, as_json
from .markdown import MAX_MARKDOWN_BYTES, readme_of
from .page_request import base_of, is_browser, wants_json
from .pages import Pages, page, wants_gzip, zipped
from .reading import read_text
from .shared_work import SharedWork, Version
from .view import View

__all__ = ["FolderPages"]


_ENTRY_BYTES: Final = 330  # of memory, with its name and its version


@dataclass(frozen=True, slots=True)
class _Request:
    """The parts of a request on which a folder's page depends."""

    key: str
    view: View
    base: str | None
    as_json: bool
    in_gzip: bool


class FolderPages:
    """Reads and draws the folders of a store. It belongs to one event loop.

    With `counts`, the page of a folder says how many entries its subfolders have, if that is known.
    """

    def __init__(self, store: Store, *, counts: bool = True) -> None:
        self._store = store
        self._has_counts = counts
        self._listings = SharedWork[Listing](lambda listing: _ENTRY_BYTES * (1 + len(listing.entries)))
        self._pages = Pages()

    async def get(self, key: str, scope: Scope) -> MemorySource:
        """Return the page of a folder that the request asks for. Raises NotFound if there is no such folder."""
        wanted = _Request(
            key,
            View.parse(scope["query_string"]),
            base_of(scope) if is_browser(scope) else None,
            as_json=wants_json(scope),
            in_gzip=wants_gzip(scope),
        )
        return await self._pages.get(wanted, partial(self._draw, wanted), self._version_of(key))

    async def listing(self, key: str) -> Listing:
        """Return the entries of a folder. Raises NotFound if there is no such folder."""
        store = self._store
        if not isinstance(store, Browsable):
            raise NotFound(f"{key!r}: this store cannot be listed")
        return await self._listings.get(key, partial(store.list, key[:-1]), self._version_of(key))

    def _version_of(self, key: str) -> Version | None:
        store = self._store
        return partial(store.list_version, key[:-1]) if isinstance(store, VersionedListing) else None

    async def _draw(self, wanted: _Request) -> Callable[[], MemorySource]:
        listing = await self.listing(wanted.key)
        counts = {} if wanted.as_json or not self._has_counts else self._known_counts(wanted.key, listing)
        is_first_page = wanted.base is not None and not wanted.as_json and not wanted.view.after
        readme = await self._readme(wanted.key, listing) if is_first_page else None
        return partial(_drawn, Folder(wanted.key, listing, counts, readme, wanted.base), wanted)

    async def _readme(self, key: str, listing: Listing) -> ReadmeText | None:
        """Read the README of a folder, if it has one that can be read."""
        with suppress(DownloadError):
            entry = readme_of(listing.entries)
            text = await read_text(self._store, f"{key}{entry.name}", MAX_MARKDOWN_BYTES) if entry else None
            return ReadmeText(entry.name, text) if entry and text else None
        return None

    def _known_counts(self, key: str, listing: Listing) -> dict[str, int]:
        """Return the numbers of entries of those folders whose listing is in memory. No folder is read for this.

        A folder that has changed since it was listed has no number.
        """
        folders = [(entry.name, entry.modified) for entry in listing.entries[:_MAX_COUNTED] if entry.is_directory]
        known = {
            name: self._listings.peek(f"{key}{name}/", changed=modified)
            for name, modified in folders
            if modified is not None
        }
        return {name: len(found.entries) for name, found in known.items() if found and not found.truncated}


_MAX_COUNTED: Final = 1_000  # entries of a long list; the event loop counts them, so it must not take long


def _drawn(folder: Folder, wanted: _Request) -> MemorySource:
    if wanted.as_json:
        drawn = page(as_json(folder, wanted.view), "application/json")
    else:
        drawn = page(as_html(folder, wanted.view), "text/html; charset=utf-8")
    return zipped(drawn, is_wanted=wanted.in_gzip)
