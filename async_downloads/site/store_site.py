"""`Site`: a store with its pages as one ASGI app, which any framework can mount."""

from typing import Any, Final

from ..asgi import Downloads
from ..request_target import in_origin_form, with_whole_path
from ..sending import Receive, Scope, Send, closing_if_ambiguous
from ..sources.archive.walk import DEFAULT_LIMITS, ArchiveLimits
from ..sources.base import Store
from ..timeouts import STALL_TIMEOUT
from .error_pages import ErrorPages
from .tree import Tree

__all__ = ["Site"]


class Site:
    """An ASGI app that serves a store as `serve` does: files, pages of folders, previews, and archives::

        api.mount("/files", Site(DirectoryStore("files")))

    Each folder is a page, a list as JSON (`?json`) and an archive (`?zip`, `?tar`); each file has a page (`?view`). All
    links are relative, so the app can be mounted at any path. `Downloads` serves only the files.

    With `index`, the file `index.html` of a folder is shown instead of the folder's page. `archive_limits` limits the
    files of one archive; the response to a request for a larger archive is 413. The other parameters are those of
    `Downloads`. Every client that reaches the app can read the whole store: protect it like any mounted app.
    """

    def __init__(
        self,
        store: Store,
        *,
        index: bool = False,
        archive_limits: ArchiveLimits = DEFAULT_LIMITS,
        attachment: bool = False,
        cache_control: str | None = "no-cache",
        stall_timeout: float = STALL_TIMEOUT,
        secret: str | bytes | None = None,
    ) -> None:
        self._downloads: Final = Downloads(
            store, attachment=attachment, cache_control=cache_control, stall_timeout=stall_timeout, secret=secret
        )
        self._pages: Final[Any] = ErrorPages(Tree(self._downloads, index=index, archive_limits=archive_limits))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request, or the lifespan; refuse a WebSocket; ignore other scopes."""
        if scope["type"] != "http":
            await self._downloads(scope, receive, send)
            return
        scope = with_whole_path(in_origin_form(scope))
        await self._pages(scope, receive, closing_if_ambiguous(scope, send))
