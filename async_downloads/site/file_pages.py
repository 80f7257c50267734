"""The page of a file (`?view`), the QR code of its URL (`?qr`), and its subtitles as WebVTT (`?vtt`)."""

from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Final
from urllib.parse import parse_qs

from ..access.private_responses import runs_scripts
from ..errors import DownloadError, NotFound
from ..request_target import has_parameter
from ..semantics.representation import Representation
from ..sending import Scope
from ..sources.base import Entry, Store
from ..sources.memory import MemorySource
from ..threads import PREVIEW_THREADS, in_thread
from .folder_pages import FolderPages
from .page_request import base_of, link_to, signature_of
from .pages import Pages, page, wants_gzip, zipped
from .preview import File, as_preview, reads_text
from .reading import read_text, read_whole
from .texts import vtt_of

__all__ = ["FilePages", "wants_file_page"]


_MAX_SUBTITLES: Final = 4 * 1024 * 1024  # bytes
_MAX_LINK: Final = 1_000  # characters: a QR code of more is too fine for a phone's camera


def wants_file_page(scope: Scope) -> bool:
    """Return whether the query asks for a page about a file, not for the file itself."""
    return has_parameter(scope["query_string"], b"view", b"qr", b"vtt")


class FilePages:
    """Draws the pages of a store's files. It belongs to one event loop."""

    def __init__(self, store: Store, folders: FolderPages) -> None:
        self._store = store
        self._folders = folders
        self._pages = Pages(PREVIEW_THREADS)

    async def get(self, key: str, scope: Scope) -> MemorySource:
        """Return the page about a file that the query asks for.

        Raises DownloadError as `Store.open` does, and NotFound if there is no such page about the file.
        """
        described = await self._describe(key)
        if has_parameter(scope["query_string"], b"vtt"):
            return await self._subtitles(key)
        # A script can read the URL of its own page. It must not get the signature of the folder from there.
        signature = signature_of(scope, opens_page=runs_scripts(described.media_type.encode("latin-1")))
        link = link_to(scope) + signature
        if has_parameter(scope["query_string"], b"qr"):
            return await in_thread(partial(_qr_code, link), executor=PREVIEW_THREADS)
        is_source = b"source" in parse_qs(scope["query_string"]).get(b"view", [])
        in_gzip, base = wants_gzip(scope), base_of(scope)
        has_code = len(link) <= _MAX_LINK
        draw = partial(
            self._draw, key, base, has_code=has_code, is_source=is_source, signature=signature, in_gzip=in_gzip
        )

        async def version() -> object:
            return described.validators.etag

        return await self._pages.get((key, base, has_code, is_source, signature, in_gzip), draw, version)

    async def _describe(self, key: str) -> Representation:
        source = await self._store.open(key)
        try:
            return source.representation
        finally:
            await source.aclose()

    async def _draw(
        self, key: str, base: str, *, has_code: bool, is_source: bool, signature: str, in_gzip: bool
    ) -> Callable[[], MemorySource]:
        source = await self._store.open(key)
        try:
            described = source.representation
            wants_text = reads_text(key.rpartition("/")[2], described.size)
            data = await read_whole(source) if wants_text else None
        finally:
            await source.aclose()
        siblings = await self._siblings(key)
        file = File(key, described, data, siblings, base, has_code, is_source, signature)
        return partial(_drawn, file, in_gzip=in_gzip)

    async def _siblings(self, key: str) -> tuple[Entry, ...]:
        """Return the entries of the file's folder; none if the store does not list it."""
        try:
            return (await self._folders.listing(key[: key.rfind("/") + 1])).entries
        except DownloadError:
            return ()

    async def _subtitles(self, key: str) -> MemorySource:
        text = await read_text(self._store, key, _MAX_SUBTITLES) if key.lower().endswith(".srt") else None
        if text is None:
            raise NotFound(f"{key!r} has no subtitles")
        return page(vtt_of(text).encode(), "text/vtt; charset=utf-8")


def _drawn(file: File, *, in_gzip: bool) -> MemorySource:
    return zipped(page(as_preview(file), "text/html; charset=utf-8"), is_wanted=in_gzip)


def _qr_code(link: str) -> MemorySource:
    """Draw the QR code of a URL, in black on white for all cameras. Raises NotFound if the URL is too long."""
    if len(link) > _MAX_LINK:
        raise NotFound("the URL is too long for a QR code")
    import segno

    drawn = BytesIO()
    segno.make_qr(link, error="m").save(drawn, kind="svg", scale=8, border=4, light="#fff", xmldecl=False)
    return page(drawn.getvalue(), "image/svg+xml")
