"""The hint of `get` for a URL that is a folder of our server: the user most likely wants its files, by `-r`."""

from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from ..client import Downloader, Result
from ..client.document import read_document
from ..errors import BadResponse, BadStatus, FetchError
from ..threads import in_thread
from .get_options import UrlItem
from .get_output import Display

__all__ = ["FolderHint"]


_PAGE: Final = b"<!doctype html"  # the first bytes of the page of a folder, in any case


class FolderHint:
    """Asks a server whether a URL is a folder of ours, but only if the URL or the saved file looks like one."""

    def __init__(self, downloader: Downloader, display: Display) -> None:
        self._downloader = downloader
        self._display = display

    async def refuse_folder(self, item: UrlItem) -> None:
        """Raise ValueError if the URL ends with a slash, the file gets no name of the user's, and it is a folder."""
        if item.path is not None or not urlsplit(item.url).path.endswith("/"):
            return
        with suppress(BadStatus, BadResponse):
            if (entries := await self._entries(item.url)) is not None:
                raise ValueError(f"a folder with {entries} {'entry' if entries == 1 else 'entries'}: -r downloads them")

    async def note_folder(self, item: UrlItem, result: Result) -> None:
        """Say so if a page was saved and the same URL with a slash is a folder."""
        parts = urlsplit(item.url)
        if item.path is not None or result.unchanged or parts.path.endswith("/"):
            return
        if not await in_thread(lambda: _is_page(result.path)):
            return
        with suppress(FetchError):
            if await self._entries(urlunsplit(parts._replace(path=f"{parts.path}/"))) is not None:
                self._display.hint(f"{result.path}: this is the page of a folder: -r downloads the files")

    async def _entries(self, url: str) -> int | None:
        """Return how many entries a folder of our server has; None if it is none."""
        from ..client.folders.listing import parse_listing
        from ..client.folders.walk import LISTING

        document = await read_document(self._downloader, url, accept=LISTING, media_type="application/json")
        try:
            listing = parse_listing(document.body, document.media_type, document.url)
        except ValueError:
            return None
        return len(listing.entries) if listing.is_ours else None


def _is_page(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(_PAGE)).lower() == _PAGE
    except OSError:
        return False
