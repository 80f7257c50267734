"""The store that is served at `/`: a folder, several files and folders, or the objects of a bucket."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Final

from ..asgi import Downloads
from ..config import Settings
from ..errors import DownloadError
from ..offload import Offload
from ..sources.base import Store
from ..sources.directory import DirectoryStore
from ..sources.paths import PathsStore
from .access import is_private

__all__ = ["downloads_of", "probe_of", "store_of"]


_log = logging.getLogger("async_downloads")
_PROBE_SECONDS: Final = 10.0


def store_of(settings: Settings) -> Store | None:
    """Return the store that the settings name; None if they name none. Call it in the process that serves it.

    Raises ValueError if the URL of an object store cannot be used.
    """
    options = {name: getattr(settings, name) for name in ("hidden", "follow_symlinks", "precompressed", "etag")}
    if settings.objects:
        from ..sources.object_storage import ObjectStore  # it needs obstore, which few sites have

        connections = settings.object_connections
        return ObjectStore.from_url(settings.objects, hidden=settings.hidden, connections=connections)
    if settings.paths:
        return PathsStore(settings.paths, **options)
    return DirectoryStore(settings.directory, **options) if settings.directory else None


def downloads_of(settings: Settings, store: Store) -> Downloads:
    """Return the app that sends the files of the store, lets a server in front send them, or redirects to them.

    Raises ValueError if redirects are wanted and there is no key to sign their URLs.
    """
    options = {name: getattr(settings, name) for name in ("attachment", "cache_control", "stall_timeout", "secret")}
    if settings.offload and settings.directory:
        folder = os.path.abspath(settings.directory)
        offload = Offload.of(settings.offload, folder, is_private=is_private(settings))
        return Downloads(store, offload=offload, **options)
    if settings.redirect is None or not settings.objects:
        return Downloads(store, **options)
    from .object_redirects import RedirectingDownloads

    return RedirectingDownloads(store, settings.redirect, **options)


def probe_of(settings: Settings, store: Store | None) -> Callable[[], Awaitable[None]] | None:
    """Return a function that logs one line if the object store does not respond; None for other stores.

    The site does not wait for the store, because it may start later. Until then requests get a 502 or a 503.
    """
    probe: Callable[[], Awaitable[None]] | None = getattr(store, "probe", None) if settings.objects else None
    if probe is None:
        return None

    async def report_failure() -> None:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await probe()
        except DownloadError as error:
            _log.warning("%s: %s", settings.objects, error)
        except TimeoutError:
            _log.warning("%s: no response within %g s", settings.objects, _PROBE_SECONDS)

    return report_failure
