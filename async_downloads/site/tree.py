"""A store as a site: `Downloads` sends its files, and its folders are pages."""

from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote

from ..asgi import Downloads, plain_response, refusal, request_head, respond_and_send
from ..errors import IsDirectory, NotFound
from ..request_target import has_parameter, key_of
from ..responder import Response, respond
from ..semantics.disposition import content_disposition
from ..semantics.plan import with_vary
from ..sending import Receive, Scope, Send
from ..sources.archive.walk import DEFAULT_LIMITS, ArchiveLimits
from ..sources.memory import MemorySource
from .archives import Archives, wanted_archive
from .file_pages import FilePages, wants_file_page
from .folder_pages import FolderPages
from .html import ASSET_FOLDER, ASSET_POLICY, PAGE_POLICY, the_asset
from .page_request import base_of, wants_json
from .pages import client_left, unless_left, wants_gzip

__all__ = ["Tree"]


class Tree:
    """An ASGI app: all files below `/`, and each folder as a page, as JSON (`?json`) or as an archive.

    With `index`, the file `index.html` of a folder is sent instead of the folder's page; the JSON remains. `front`
    names the file that is also sent for `/`, unless the query asks for something else. With `counts`, the page of a
    folder says how many entries its subfolders have, if that is known.
    """

    def __init__(
        self,
        downloads: Downloads,
        *,
        index: bool = False,
        front: str | None = None,
        archive_limits: ArchiveLimits = DEFAULT_LIMITS,
        counts: bool = True,
    ) -> None:
        self._downloads = downloads
        self._archives = Archives(downloads, archive_limits)
        self._has_index = index
        self._front = front
        self._folders = FolderPages(downloads.store, counts=counts)
        self._files = FilePages(downloads.store, self._folders)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Respond to one HTTP request."""
        return respond_and_send(partial(self.respond, receive=receive), scope, receive, send)

    async def respond(self, scope: Scope, receive: Receive) -> Response:
        """Return the response to one request, ready to be sent. Raises DownloadError if there is nothing to send."""
        if refused := refusal(scope):
            return refused
        key, path = key_of(scope), scope["path"]
        if not path.startswith("/") or key == "/":
            raise NotFound(f"{path!r} is not the path of a file")
        if not key and path in {"", scope.get("root_path", "")}:
            return _redirect_to_slash(path, scope)
        if not key or key.endswith("/"):
            if _has_encoded_slash(scope):  # the relative links of a page would lead to wrong places
                return _redirect_to_slash(key[:-1], scope)
            return await self._directory(key, scope, receive)
        return await self._file(key, scope, receive)

    async def _file(self, key: str, scope: Scope, receive: Receive) -> Response:
        if key.startswith(ASSET_FOLDER) and (asset := the_asset(key, in_gzip=wants_gzip(scope))):
            return await respond(request_head(scope), asset, ASSET_POLICY)
        try:
            if scope["query_string"] and wants_file_page(scope):
                return await _drawn(self._files.get(key, scope), scope, receive)
            return await self._downloads.respond(scope, key, receive=receive)
        except IsDirectory:
            return _redirect_to_slash(key, scope)

    async def _directory(self, key: str, scope: Scope, receive: Receive) -> Response:
        if wanted := wanted_archive(scope["query_string"]):
            return await self._archives.respond(key[:-1], wanted, scope, receive)
        if self._front and not key and _wants_file(scope):
            return _with_name(await self._downloads.respond(scope, self._front, receive=receive), self._front)
        if self._has_index and not wants_json(scope):
            with suppress(NotFound, IsDirectory):
                response = await self._downloads.respond(scope, f"{key}index.html", receive=receive)
                return response._replace(fields=tuple(with_vary(response.fields, "Accept")))
        return await _drawn(self._folders.get(key, scope), scope, receive)


async def _drawn(page: Coroutine[Any, Any, MemorySource], scope: Scope, receive: Receive) -> Response:
    """Return the response with a page once it is drawn; stop the drawing if the client leaves."""
    found = await unless_left(page, receive)
    return await respond(request_head(scope), found, PAGE_POLICY) if found else client_left()


def _has_encoded_slash(scope: Scope) -> bool:
    """Return whether the path has an encoded slash, which clients do not count as a separator."""
    return b"%2f" in (scope.get("raw_path") or b"").partition(b"?")[0].lower()


def _wants_file(scope: Scope) -> bool:
    """Return whether a request for `/` may get the file: its query is empty, or says how to send the file."""
    query = scope["query_string"]
    return not wants_json(scope) and (not query or has_parameter(query, b"download", b"attachment", b"inline"))


def _with_name(response: Response, name: str) -> Response:
    """Add the name of a file to its response. Clients cannot take the name from the URL `/`."""
    fields = with_vary(response.fields, "Accept")
    if response.status in {200, 206} and "Content-Disposition" not in dict(response.fields):
        fields.append(("Content-Disposition", content_disposition("inline", name)))
    return response._replace(fields=tuple(fields))


def _redirect_to_slash(key: str, scope: Scope) -> Response:
    """Redirect to the folder's URL with a slash at its end, which the relative links of the page need."""
    query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
    if _has_encoded_slash(scope):
        location = f"./{base_of(scope)}{quote(key, errors='surrogateescape')}/"
    else:
        location = f"./{quote(key.rpartition('/')[2], safe='', errors='surrogateescape')}/"
    fields = (("Location", location + query), ("Cache-Control", "no-cache"), ("Content-Length", "0"))
    return plain_response(301, b"", fields)
