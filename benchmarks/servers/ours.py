"""This project: its commands, an earlier version of `serve`, and the ASGI application under other servers."""

import os
import subprocess
from functools import partial
from pathlib import Path

from async_downloads.commands.serve import serve
from benchmarks.servers.base import EVERY, HTTP2, MAIN, PYTHON, Server, Site, missing_module, package_versions
from benchmarks.servers.commands import CROWD, granian, hypercorn, uvicorn

__all__ = ["OURS"]

DOWNLOADS = "benchmarks.servers.downloads_app:app"
QUART = "benchmarks.servers.ours_quart_app:app"
BEFORE = "BENCHMARK_BEFORE"  # the environment variable with the path of an earlier version's `async-downloads`
_HAS_HTTP2 = any(option.name == "http2" for option in serve.params)
DOWNLOADS_MODULES = ("async_downloads.asgi", "async_downloads.sources.directory")


def _command(name: str, what: str, site: Site, loop: str) -> list[str]:
    """Return one of our commands, with a limit of connections that is high enough for the crowd."""
    options = ["--bind", site.address, "--loop", loop, "--max-connections", CROWD]
    return [PYTHON, "-m", "async_downloads", name, what, *options, *site.tls("--certfile", "--keyfile")]


def _serve(loop: str) -> Server:
    def command(site: Site) -> list[str]:
        http2 = ["--http2"] if site.secure and _HAS_HTTP2 else []
        return [*_command("serve", str(site.directory), site, loop), *http2]

    loops = ("uvloop",) if loop == "uvloop" else ()
    return Server(
        name=f"serve-{loop}",
        title=f"async-downloads serve, {loop}",
        command=command,
        versions=partial(package_versions, "async-downloads", "httptools", *loops),
        missing=partial(missing_module, "async_downloads.__main__", "async_downloads.cli", *loops),
        scenarios=HTTP2 | {"listing"},
        lacks={} if _HAS_HTTP2 else {"h2": "async-downloads serve has no HTTP/2"},
    )


def _before(site: Site) -> list[str]:
    """Return the command of the earlier version, without the variable that would import this version."""
    command = [os.environ.get(BEFORE, "async-downloads"), "serve", str(site.directory)]
    return ["env", "-u", "PYTHONPATH", *command, "--bind", site.address, "--loop", "asyncio"]


def _no_before() -> str | None:
    path = os.environ.get(BEFORE)
    if path is None:
        return f"{BEFORE} does not name the command of an earlier version"
    return None if Path(path).is_file() else f"{BEFORE}: {path} is not a file"


def _before_version() -> str:
    command = [os.environ[BEFORE], "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout.strip()


def _run(site: Site) -> list[str]:
    return _command("run", QUART, site, "asyncio")


OURS = (
    _serve("asyncio"),
    _serve("uvloop"),
    Server(
        name="serve-before",
        title="async-downloads serve, an earlier version",
        command=_before,
        versions=_before_version,
        missing=_no_before,
        scenarios=EVERY | {"far", "listing"},
    ),
    Server(
        name="run-quart",
        title="a Quart view with our send_from_directory, async-downloads run",
        command=_run,
        versions=partial(package_versions, "async-downloads", "quart", "httptools"),
        missing=partial(missing_module, "async_downloads.commands.run", "async_downloads.quart", "quart"),
        scenarios=MAIN,
        lacks={"h2": "async-downloads run is measured without HTTP/2"},
    ),
    Server(
        name="ours-quart",
        title="a Quart view with our send_from_directory, Hypercorn",
        command=hypercorn(QUART),
        versions=partial(package_versions, "async-downloads", "quart", "hypercorn"),
        missing=partial(missing_module, "async_downloads.quart", "quart", "hypercorn"),
    ),
    Server(
        name="ours-uvicorn",
        title="Downloads, uvicorn",
        command=uvicorn(DOWNLOADS),
        versions=partial(package_versions, "async-downloads", "uvicorn", "uvloop", "httptools"),
        missing=partial(missing_module, *DOWNLOADS_MODULES, "uvicorn"),
        scenarios=MAIN,
        lacks={"h2": "uvicorn has no HTTP/2"},
    ),
    Server(
        name="ours-granian",
        title="Downloads, Granian",
        command=granian(DOWNLOADS),
        versions=partial(package_versions, "async-downloads", "granian", "uvloop"),
        missing=partial(missing_module, *DOWNLOADS_MODULES, "granian"),
        scenarios=MAIN,
    ),
)
