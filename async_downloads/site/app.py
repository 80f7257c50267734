"""The site as one app: the download routes by Quart, the tree of files and those of a database beside it.

These are not routed by Quart. Their paths are matched as they are, and a file costs no request context.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from quart import Quart

from ..asgi import Downloads, key_of
from ..config import Settings
from ..quart import init_app
from ..sending import Receive, Scope, Send
from ..sources.directory import DirectoryStore
from .routes import downloads
from .stored import PREFIX, StoredFiles, catalogue_of
from .tree import Tree

__all__ = ["create_app"]


_ROUTES = {
    "download_file": ("download",),
    "download_images": ("download", "download2"),
    "client_images": ("get-image",),
    "client_csv": ("get-csv",),
    "client_pdf": ("get-pdf",),
    "client_reports": ("get-report",),
    "pdf_examples": ("pdf",),
}


def create_app(settings: Settings | None = None) -> Quart:
    """Make the Quart app that serves what the settings name; without settings, what the environment names.

    A path whose first segment belongs to a configured route is Quart's or the database's, every other one is the
    tree's. The database is connected to by the first request for it, and left when the app stops serving. ValueError
    for settings that cannot be.
    """
    settings = settings or Settings.from_environment()
    app = _routes(settings)
    lanes: dict[str, Any] = dict.fromkeys(_routed(settings), app.asgi_app)
    if catalogue := catalogue_of(settings):
        app.after_serving(catalogue.aclose)
        lanes[PREFIX] = StoredFiles(catalogue, settings)
    if settings.directory or catalogue:
        others = _tree(settings, settings.directory) if settings.directory else app.asgi_app
        wrapped: Any = _Lanes(lanes, others, app.asgi_app)
        app.asgi_app = wrapped  # type: ignore[method-assign] # how Quart says to wrap an app
    return app


def _routes(settings: Settings) -> Quart:
    app = Quart("async_downloads.web", static_folder=None)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = None  # as Flask has it: no-cache
    app.config["DOWNLOAD_STALL_TIMEOUT"] = settings.stall_timeout
    app.config["HIDDEN"] = settings.hidden
    app.config.update({name.upper(): _absolute(getattr(settings, name)) for name in _ROUTES})
    app.url_map.merge_slashes = False
    init_app(app)
    app.register_blueprint(downloads)
    return app


def _routed(settings: Settings) -> Iterator[str]:
    """Yield the first segments of the paths that are Quart's."""
    for name, segments in _ROUTES.items():
        if getattr(settings, name):
            yield from segments


def _tree(settings: Settings, directory: Path) -> Tree:
    store = DirectoryStore(directory, hidden=settings.hidden, follow_symlinks=settings.follow_symlinks)
    tree = Downloads(
        store,
        attachment=settings.attachment,
        cache_control=settings.cache_control,
        stall_timeout=settings.stall_timeout,
    )
    return Tree(tree)


def _absolute(value: Any) -> Any:
    """Take a path from where the process stands; Quart would take it from where the package lies."""
    return value.absolute() if isinstance(value, Path) else value


class _Lanes:
    """Tells by the first segment of the path who answers."""

    def __init__(self, lanes: Mapping[str, Any], others: Any, quart: Any) -> None:
        self._lanes = lanes
        self._others = others
        self._quart = quart

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lane = self._quart
        if scope["type"] == "http":
            lane = self._lanes.get(key_of(scope).partition("/")[0], self._others)
        await lane(scope, receive, send)
