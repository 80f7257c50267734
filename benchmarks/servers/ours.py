"""This project: the command, the Quart view, and the ASGI application under other servers."""

from functools import partial

from benchmarks.servers.base import PYTHON, TLS, Server, Site, missing_module, package_versions
from benchmarks.servers.commands import granian, hypercorn, uvicorn

__all__ = ["OURS"]

DOWNLOADS = "benchmarks.servers.downloads_app:app"
DOWNLOADS_MODULES = ("async_downloads.asgi", "async_downloads.sources.directory")


def _serve(loop: str) -> Server:
    def command(site: Site) -> list[str]:
        serve = [PYTHON, "-m", "async_downloads", "serve", str(site.directory)]
        return [*serve, "--bind", site.address, "--loop", loop, *site.tls("--certfile", "--keyfile")]

    loops = ("uvloop",) if loop == "uvloop" else ()
    return Server(
        name=f"serve-{loop}",
        title=f"async-downloads serve, {loop}",
        command=command,
        versions=partial(package_versions, "async-downloads", "hypercorn", *loops),
        missing=partial(missing_module, "async_downloads.__main__", "async_downloads.cli", *loops),
        scenarios=TLS,
    )


OURS = (
    _serve("asyncio"),
    _serve("uvloop"),
    Server(
        name="ours-quart",
        title="a Quart view with our send_from_directory, Hypercorn",
        command=hypercorn("benchmarks.servers.ours_quart_app:app"),
        versions=partial(package_versions, "async-downloads", "quart", "hypercorn"),
        missing=partial(missing_module, "async_downloads.quart", "quart", "hypercorn"),
    ),
    Server(
        name="ours-uvicorn",
        title="Downloads, uvicorn",
        command=uvicorn(DOWNLOADS),
        versions=partial(package_versions, "async-downloads", "uvicorn", "uvloop", "httptools"),
        missing=partial(missing_module, *DOWNLOADS_MODULES, "uvicorn"),
        scenarios=TLS,
        lacks={"h2": "uvicorn has no HTTP/2"},
    ),
    Server(
        name="ours-granian",
        title="Downloads, Granian",
        command=granian(DOWNLOADS),
        versions=partial(package_versions, "async-downloads", "granian", "uvloop"),
        missing=partial(missing_module, *DOWNLOADS_MODULES, "granian"),
        scenarios=TLS,
    ),
)
