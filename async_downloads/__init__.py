"""Downloads over HTTP: an asynchronous server, functions and responses for apps, and a client.

What you can do with this package:

1. Serve a folder, from the command line: `async-downloads serve FOLDER`.
2. Return files from the views of an app. On Quart with Flask's names: `await send_file("report.pdf")` and
   `send_from_directory`, after `init_app(app)`. In FastAPI, Starlette and Litestar: `DownloadResponse("report.pdf")`
   from `async_downloads.starlette`.
3. Mount a store in any ASGI app: `Downloads(store)` sends its files, `Site(store)` also shows its folders as pages. A
   store is a `DirectoryStore`, a bucket (`async_downloads.sources.object_storage`), a database, or a class of your own.
4. Make links that expire: `sign_url(url, secret=..., expires=3600)`, and `Downloads(store, signer=Signer(secret))`.
5. Download files, and continue interrupted downloads: `await download(url, path)` and `Downloader` from
   `async_downloads.client`.

All errors are in `async_downloads.errors`. All settings of `serve` are in `async_downloads.config`; `create_app` makes
the app that `serve` runs.

Each name is imported when it is first used, so a program loads only what it needs: `import async_downloads` alone
loads neither Quart nor httpx.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .access.signer import Signer as Signer
    from .access.signer import sign_url as sign_url
    from .asgi import Downloads as Downloads
    from .quart import abort as abort
    from .quart import init_app as init_app
    from .quart import make_response as make_response
    from .quart import safe_join as safe_join
    from .quart import send_archive as send_archive
    from .quart import send_file as send_file
    from .quart import send_from_directory as send_from_directory
    from .quart import send_source as send_source
    from .quart import signed_links as signed_links
    from .site.app import create_app as create_app
    from .site.store_site import Site as Site
    from .sources.directory import DirectoryStore as DirectoryStore

__all__ = [
    "DirectoryStore",
    "Downloads",
    "Signer",
    "Site",
    "abort",
    "create_app",
    "init_app",
    "make_response",
    "safe_join",
    "send_archive",
    "send_file",
    "send_from_directory",
    "send_source",
    "sign_url",
    "signed_links",
]

_HOMES = {
    "DirectoryStore": ".sources.directory",
    "Downloads": ".asgi",
    "Signer": ".access.signer",
    "Site": ".site.store_site",
    "create_app": ".site.app",
    "sign_url": ".access.signer",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, ".quart"), __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
