"""The site as one app: Quart serves the download routes; the tree and the database's files are served beside Quart.

Quart does not route these two: their paths must match exactly, and a file needs no request context.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from quart import Quart

from ..config import Settings
from ..quart import init_app
from ..request_target import in_normal_form, key_of
from ..sending import Receive, Scope, Send
from ..sources.archive.walk import ArchiveLimits
from ..sources.base import Store
from ..sources.database.database_catalogue import DatabaseCatalogue
from ..sources.paths import PathsStore
from .access import Access, access_gate
from .added_fields import AddedFields, added_fields
from .error_pages import ErrorPages
from .readiness import Probe, Readiness, probe_database
from .routes import downloads
from .stored import PREFIX, StoredFiles, catalogue_of
from .stores import downloads_of, probe_of, store_of
from .tree import Tree

__all__ = ["app_with_access", "create_app"]


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
    """Create the Quart app that serves what the settings name; without settings, what the environment names.

    The first segment of a path decides which part responds: Quart for the configured routes, the database for `files`,
    the tree for all others. The app connects to the database at the first request for it, and disconnects when the app
    stops serving. So run it by itself; `Site` is the app to mount in another app. You may add routes to it.

    Raises ValueError if the settings contradict each other, and OSError if the file of users cannot be read.
    """
    return app_with_access(settings or Settings.from_environment(), None)


def app_with_access(settings: Settings, access: Access | None) -> Quart:
    """Create the app as `create_app` does; `access` is what `check_access` has returned for the same settings."""
    if settings.offload and not settings.directory:
        raise ValueError("--offload needs exactly one folder")
    app = _routes(settings)
    routes: Any = _with_normal_paths(app.asgi_app)
    apps: dict[str, Any] = dict.fromkeys(_routed_segments(settings), routes)
    if catalogue := catalogue_of(settings):
        app.after_serving(catalogue.aclose)
        apps[PREFIX] = StoredFiles(catalogue, settings)
    store = store_of(settings)
    if probe := probe_of(settings, store):
        app.before_serving(partial(_add_background_task, app, probe))
    default = _tree(settings, store) if store else routes
    wrapped: Any = ErrorPages(access_gate(_FirstSegmentRouter(app, apps, routes, default), settings, access))
    if fields := added_fields(settings):
        wrapped = AddedFields(wrapped, fields, cors=settings.cors is not None)
    wrapped = Readiness(wrapped, _probes(catalogue, store))
    app.asgi_app = wrapped  # type: ignore[method-assign] # Quart's documented way to wrap an app
    return app


def _probes(catalogue: DatabaseCatalogue | None, store: Store | None) -> list[Probe]:
    """Return the functions that check whether the database and the object store respond."""
    probes: list[Probe] = [partial(probe_database, catalogue), catalogue.probe] if catalogue else []
    if store_probe := getattr(store, "probe", None):
        probes.append(store_probe)
    return probes


def _routes(settings: Settings) -> Quart:
    app = Quart("async_downloads.web", static_folder=None)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = None  # Flask's default: no-cache
    app.config["DOWNLOAD_STALL_TIMEOUT"] = settings.stall_timeout
    app.config["DOWNLOAD_SECRET"] = settings.secret
    app.config["DOWNLOAD_ETAG"] = settings.etag
    app.config["USE_X_SENDFILE"] = settings.offload == "sendfile"
    app.config["HIDDEN"] = settings.hidden
    app.config.update({name.upper(): _absolute(getattr(settings, name)) for name in _ROUTES})
    app.url_map.merge_slashes = False
    init_app(app)
    app.register_blueprint(downloads)
    return app


async def _add_background_task(app: Quart, task: Callable[[], Awaitable[None]]) -> None:
    app.add_background_task(task)


def _routed_segments(settings: Settings) -> Iterator[str]:
    """Yield the first segments of the configured routes' paths."""
    for name, segments in _ROUTES.items():
        if getattr(settings, name):
            yield from segments


def _tree(settings: Settings, store: Store) -> Tree:
    return Tree(
        downloads_of(settings, store),
        index=settings.index,
        front=store.only_file if isinstance(store, PathsStore) else None,
        archive_limits=ArchiveLimits(settings.archive_limit, settings.archive_entries),
        counts=not settings.auth_path,  # clients without a password must not learn them
    )


def _absolute(value: Any) -> Any:
    """Resolve a path against the working directory; Quart would resolve it against the package's directory."""
    return value.absolute() if isinstance(value, Path) else value


def _with_normal_paths(app: Any) -> Any:
    async def with_normal_path(scope: Scope, receive: Receive, send: Send) -> None:
        await app(in_normal_form(scope), receive, send)

    return with_normal_path


class _FirstSegmentRouter:
    """Passes a request to the app for the first segment of its path, and lifespan and WebSockets to Quart.

    Routes that a program has added to the app go to Quart, too; the tree does not serve a folder of the same name. The
    database keeps `files`, and the tree gets the requests for routes whose first segment is a variable.
    """

    def __init__(self, app: Quart, apps: Mapping[str, Any], routes: Any, default: Any) -> None:
        self._app = app
        self._apps = apps
        self._routes = routes
        self._default = default
        self._quart = app.asgi_app
        self._views = len(app.view_functions)  # those of this package
        self._added: frozenset[str] = frozenset()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        app: Callable[..., Awaitable[None]] = self._quart
        if scope["type"] == "http":
            if len(self._app.view_functions) != self._views:
                self._find_added()
            segment = key_of(scope).partition("/")[0]
            app = self._apps.get(segment, self._routes if segment in self._added else self._default)
        return app(scope, receive, send)

    def _find_added(self) -> None:
        """Find the routes again, because a program has added some."""
        self._views = len(self._app.view_functions)
        self._added = frozenset(_added_segments(self._app))


def _added_segments(app: Quart) -> Iterator[str]:
    """Yield the first segments of the paths of routes that do not come from this package."""
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith(f"{downloads.name}."):
            yield rule.rule.split("/")[1]
