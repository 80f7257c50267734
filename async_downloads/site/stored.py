"""The files of a database as a part of the site: `/files/download/<id>`, and `/files`, which lists them as JSON.

A file costs no request context of Quart, as those of the tree. The catalogue is opened by the first request, in the
process and event loop that answers it.
"""

import json
from collections.abc import Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from ..asgi import Downloads, key_of, refusal, request_head, respond_and_send
from ..config import Settings
from ..errors import NotFound
from ..responder import Response, respond
from ..semantics.plan import Policy
from ..sending import Receive, Scope, Send
from ..sources.database.catalogue import ById, Catalogue, Identifier, StoredFile
from ..sources.database.urls import open_catalogue, path_of
from ..threads import in_thread
from .tree import page

__all__ = ["PREFIX", "StoredFiles", "as_json", "catalogue_of", "probe"]


PREFIX: Final = "files"
_DOWNLOAD: Final = f"{PREFIX}/download"
_MOST: Final = 10_000  # files of a listing
_PAGE: Final = Policy(fields=(("Cache-Control", "no-cache"),))


class StoredFiles:
    """An ASGI app for the paths below `/files`."""

    def __init__(self, catalogue: Catalogue, settings: Settings) -> None:
        self._catalogue = catalogue
        self._identifier = settings.file_ids
        self._listed = settings.list_files
        self._downloads = Downloads(
            ById(catalogue, settings.file_ids),
            attachment=True,
            cache_control=settings.cache_control,
            stall_timeout=settings.stall_timeout,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        await respond_and_send(self._reply, scope, receive, send)

    async def _reply(self, scope: Scope) -> Response:
        if refused := refusal(scope):
            return refused
        key, root = key_of(scope), scope.get("root_path", "")
        if key == PREFIX and self._listed:
            return await self._listing(scope, f"{root}/{_DOWNLOAD}/")
        if key.startswith(f"{_DOWNLOAD}/"):
            return await self._downloads.respond({**scope, "root_path": f"{root}/{_DOWNLOAD}"})
        raise NotFound(f"nothing is at {key!r}")

    async def _listing(self, scope: Scope, base: str) -> Response:
        draw = partial(as_json, await self._catalogue.files(_MOST + 1), self._identifier, base)
        return await respond(request_head(scope), page(await in_thread(draw), "application/json"), _PAGE)


def as_json(files: Sequence[StoredFile], identifier: Identifier, base: str) -> bytes:
    """Write the first 10,000 files as JSON: `truncated`, and `files`; `base` stands before an id in a URL."""
    told = [
        {
            "id": file.public(identifier),
            "name": file.name,
            "size": file.size,
            "type": file.media_type,
            "sha256": file.sha256.hex(),
            "created": f"{datetime.fromtimestamp(file.created, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "url": base + file.public(identifier),
        }
        for file in files[:_MOST]
    ]
    return json.dumps({"truncated": len(files) > _MOST, "files": told}).encode()


def catalogue_of(settings: Settings) -> Catalogue | None:
    """Return the catalogue that the settings name, not connected to yet.

    ValueError for a URL that is none, and for a database in a folder that is served: strangers could download all of
    it. Nor may this process so much as open its file beside SQLite: closing it again would end SQLite's locks.
    """
    if settings.database is None:
        return None
    path = path_of(settings.database)
    if path and settings.directory and settings.follow_symlinks:
        raise ValueError(f"{path} cannot be kept from links that are followed: leave out --follow-symlinks")
    for folder in settings.folders:
        if path and _shows(folder, path, hidden=settings.hidden):
            raise ValueError(f"{path} lies in {folder}, which is served: move it, or put a dot before its name")
    return open_catalogue(settings.database)


def _shows(folder: Path, path: Path, *, hidden: bool) -> bool:
    """Whether the file is at the place that is served, or below it; a name with a dot is there only with `hidden`."""
    with suppress(ValueError):
        below = path.resolve().relative_to(folder.resolve())
        return hidden or not any(name.startswith(".") for name in below.parts)
    return False


async def probe(settings: Settings) -> None:
    """Ask the database for a file. ValueError when the settings are wrong, `SourceError` when there is no answer."""
    catalogue = catalogue_of(settings)
    if catalogue is None:
        return
    async with aclosing(catalogue):
        with suppress(NotFound):
            source = await catalogue.open_id("1", "integer")
            await source.aclose()
