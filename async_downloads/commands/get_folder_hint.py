"""The hint of `get` for a URL that is a folder of our server: most likely the user wants its files, so needs `-r`."""

from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from ..client import Downloader, Result
from ..client.document import read_document
from ..errors import FetchError
from ..threads import in_thread
from .get_options import UrlItem
from .get_output import Display

__all__ = ["FolderHint"]


_PAGE: Final = b"<!doctype html"  # the first bytes of the page of a folder, in any case


class FolderHint:
    """Asks a server whether a URL is a folder of ours, but only if the saved file looks like its page."""

    def __init__(self, downloader: Downloader, display: Display) -> None:
        self._downloader = downloader
        self._display = display

    async def note_folder(self, item: UrlItem, result: Result) -> None:
        """Print a hint if a page was saved and the URL, with a slash at its end, is a folder.

        The server is not asked before the download, because a URL may be valid for one request only.
        """
        parts = urlsplit(item.url)
        if item.path is not None or result.unchanged:
            return
        if not await in_thread(lambda: _is_page(result.path)):
            return
        with suppress(FetchError):
            if await self._is_folder(urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/"))):
                self._display.hint(f"{result.path} is the page of a folder: use -r to download the files")

    async def _is_folder(self, url: str) -> bool:
        """Whether a URL is a folder of our server."""
        from ..client.folders.listing import parse_listing
        from ..client.folders.walk import LISTING

        document = await read_document(self._downloader, url, accept=LISTING, media_type="application/json")
        try:
            listing = parse_listing(document.body, document.media_type, document.url)
        except ValueError:
            return False
        return listing.is_ours


def _is_page(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(_PAGE)).lower() == _PAGE
    except OSError:
        return False
