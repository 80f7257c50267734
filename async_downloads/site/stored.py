"""The files of a database as a part of the site: `/files/download/<id>`, and lists of them.

`/files` lists all files as JSON. For browsers, and for programs that go from folder to folder, the names of the files
make a tree at `/files/`, with the same pages as any other tree.

Like the tree, this part needs no request context of Quart. The first request opens the catalogue, in the process and
the event loop that serve it.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..asgi import Downloads, refusal, request_head, respond_and_send
from ..config import Settings
from ..errors import NotFound
from ..request_target import key_of
from ..responder import Response, respond
from ..semantics.dates import rfc3339
from ..semantics.plan import Policy
from ..sending import Receive, Scope, Send
from ..sources.archive.walk import ArchiveLimits
from ..sources.database.catalogue import ById, Identifier, StoredFile
from ..sources.database.database_catalogue import DatabaseCatalogue
from ..sources.database.urls import open_catalogue, path_of
from ..sources.directory import is_hidden
from ..sources.memory import MemorySource
from ..sources.paths import name_of
from .file_redirects import RedirectingFiles
from .page_request import is_browser, wants_json
from .pages import Pages, client_left, page, unless_left
from .readiness import probe_database
from .tree import Tree

__all__ = ["PREFIX", "StoredFiles", "as_json", "catalogue_of", "hidden_folder", "probe", "shows"]


PREFIX: Final = "files"
_DOWNLOAD: Final = f"{PREFIX}/download"
_MAX_LISTED: Final = 10_000  # files
_LISTING_POLICY: Final = Policy(fields=(("Cache-Control", "no-cache"), ("Vary", "Accept")))


class StoredFiles:
    """An ASGI app for `/files` and the paths below it."""

    def __init__(self, catalogue: DatabaseCatalogue, settings: Settings) -> None:
        self._catalogue = catalogue
        self._identifier = settings.file_ids
        self._pages = Pages()
        self._downloads = _downloads_by_id(catalogue, settings)
        downloads = Downloads(catalogue, attachment=settings.attachment, **_options(settings))
        limits = ArchiveLimits(settings.archive_limit, settings.archive_entries)
        self._tree = Tree(downloads, archive_limits=limits) if settings.list_files else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one HTTP request."""
        await respond_and_send(partial(self._respond, receive=receive), scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        if refused := refusal(scope):
            return refused
        key, root = key_of(scope), scope.get("root_path", "")
        if key.startswith(f"{_DOWNLOAD}/"):
            return await self._downloads.respond({**scope, "root_path": f"{root}/{_DOWNLOAD}"})
        if self._tree and (key != PREFIX or (is_browser(scope) and not wants_json(scope))):
            return await self._tree.respond({**scope, "root_path": f"{root}/{PREFIX}"}, receive)
        if self._tree:
            return await self._listing(scope, receive, f"{root}/{_DOWNLOAD}/")
        raise NotFound(f"there is no file {key!r}")

    async def _listing(self, scope: Scope, receive: Receive, base: str) -> Response:
        async def draw() -> Callable[[], MemorySource]:
            return partial(_json_page, await self._catalogue.files(_MAX_LISTED + 1), self._identifier, base)

        found = await unless_left(self._pages.get(base, draw), receive)
        return await respond(request_head(scope), found, _LISTING_POLICY) if found else client_left()


def _downloads_by_id(catalogue: DatabaseCatalogue, settings: Settings) -> Downloads:
    options = {"attachment": True, **_options(settings)}
    if settings.redirect is None:
        return Downloads(ById(catalogue, settings.file_ids), **options)
    return RedirectingFiles(catalogue, settings.file_ids, settings.redirect, **options)


def _options(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ("cache_control", "stall_timeout", "secret")}


def _json_page(files: Sequence[StoredFile], identifier: Identifier, base: str) -> MemorySource:
    return page(as_json(files, identifier, base), "application/json")


def as_json(files: Sequence[StoredFile], identifier: Identifier, base: str) -> bytes:
    """Return the first 10,000 files as JSON: `truncated` and `files`. The URL of a file is `base` and its id."""
    entries = [
        {
            "id": file.public(identifier),
            "name": file.name,
            "size": file.size,
            "type": file.media_type,
            "sha256": file.sha256.hex(),
            "created": rfc3339(file.created),
            "url": base + file.public(identifier),
        }
        for file in files[:_MAX_LISTED]
    ]
    return json.dumps({"truncated": len(files) > _MAX_LISTED, "files": entries}).encode()


def catalogue_of(settings: Settings) -> DatabaseCatalogue | None:
    """Return the catalogue that the settings name, not yet connected; None if they name no database.

    Raises ValueError if its URL is invalid, or if the file of an SQLite database is in a served folder. There any
    client could download it. Serving it would even damage it: when this process closes the file, the system ends
    SQLite's locks.
    """
    if settings.database is None:
        return None
    path = path_of(settings.database)
    if path and (settings.directory or settings.paths) and settings.follow_symlinks:
        raise ValueError(f"clients could reach {path} through symbolic links: leave out --follow-symlinks")
    for folder in settings.folders:
        if path and shows(folder, path, hidden=settings.hidden):
            raise ValueError(f"{path} is in {folder}, which is served: move it, or put a dot before its name")
    return open_catalogue(settings.database, connections=settings.object_connections)


def shows(folder: Path, path: Path, *, hidden: bool) -> bool:
    """Return whether the file is the served path or is below it. A hidden file is served only with `hidden`."""
    with suppress(ValueError):
        below = path.resolve().relative_to(folder.resolve())
        return hidden or not any(map(is_hidden, below.parts))
    return False


def hidden_folder(settings: Settings) -> Path | None:
    """Return the path that is served at `files`, which a database would hide; None if there is none."""
    if not settings.database:
        return None
    inside = [settings.directory / PREFIX] if settings.directory else []
    named = [path for path in settings.paths if name_of(path) == PREFIX]
    return next((path for path in (*inside, *named) if os.path.lexists(path)), None)


async def probe(settings: Settings) -> None:
    """Look up a file in the database. Raises ValueError if the settings are wrong, SourceError if the lookup fails."""
    catalogue = catalogue_of(settings)
    if catalogue is None:
        return
    async with aclosing(catalogue):
        await probe_database(catalogue)
