"""The site as one app: the download routes by Quart, the tree of files beside it.

The tree is not routed by Quart. Its paths are matched as they are, and a file costs no request context.
"""

from pathlib import Path
from typing import Any

from quart import Quart

from ..asgi import Downloads, key_of
from ..config import Settings
from ..quart import init_app
from ..sending import Receive, Scope, Send
from ..sources.directory import DirectoryStore
from .routes import downloads
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

    A path whose first segment belongs to a configured route is Quart's, every other one is the tree's.
    """
    settings = settings or Settings.from_environment()
    app = Quart("async_downloads.web", static_folder=None)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = None  # as Flask has it: no-cache
    app.config["DOWNLOAD_STALL_TIMEOUT"] = settings.stall_timeout
    app.config["HIDDEN"] = settings.hidden
    app.config.update({name.upper(): _absolute(getattr(settings, name)) for name in _ROUTES})
    app.url_map.merge_slashes = False
    init_app(app)
    app.register_blueprint(downloads)
    if settings.directory:
        store = DirectoryStore(settings.directory, hidden=settings.hidden, follow_symlinks=settings.follow_symlinks)
        tree = Downloads(
            store,
            attachment=settings.attachment,
            cache_control=settings.cache_control,
            stall_timeout=settings.stall_timeout,
        )
        routed = {segment for name, segments in _ROUTES.items() if getattr(settings, name) for segment in segments}
        lanes: Any = _Lanes(Tree(tree), app.asgi_app, frozenset(routed))
        app.asgi_app = lanes  # type: ignore[method-assign] # how Quart says to wrap an app
    return app


def _absolute(value: Any) -> Any:
    """Take a path from where the process stands; Quart would take it from where the package lies."""
    return value.absolute() if isinstance(value, Path) else value


class _Lanes:
    """Tells by the first segment of the path who answers."""

    def __init__(self, tree: Tree, routes: Any, routed: frozenset[str]) -> None:
        self._tree = tree
        self._routes = routes
        self._routed = routed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_tree = scope["type"] == "http" and key_of(scope).partition("/")[0] not in self._routed
        await (self._tree if is_tree else self._routes)(scope, receive, send)
