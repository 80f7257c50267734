"""Widely used servers: sync Flask, plain Quart, Starlette and aiohttp."""

from functools import partial

from benchmarks.servers.base import EVERY, HTTP2, MAIN, PYTHON, Server, Site, missing_module, package_versions
from benchmarks.servers.commands import CROWD, gunicorn, hypercorn, uvicorn, waitress

__all__ = ["PEERS"]

FLASK = "benchmarks.servers.flask_app:app"
CONNECTIONS = ("--worker-connections", CROWD)


def _gthread(threads: int) -> Server:
    return Server(
        name=f"flask-gthread-{threads}",
        title=f"Flask, gunicorn gthread, {threads} threads",
        command=gunicorn("gthread", FLASK, "--threads", str(threads), *CONNECTIONS),
        versions=partial(package_versions, "flask", "gunicorn"),
        missing=partial(missing_module, "flask", "gunicorn"),
        scenarios=MAIN if threads == 8 else EVERY,
    )


def _aiohttp(site: Site) -> list[str]:
    files = [str(site.certificate), str(site.key)] if site.secure else []
    return [PYTHON, "-m", "benchmarks.servers.aiohttp_app", site.host, str(site.port), *files]


PEERS = (
    _gthread(8),
    _gthread(64),
    Server(
        name="flask-sync",
        title="Flask, gunicorn sync",
        command=gunicorn("sync", FLASK),
        versions=partial(package_versions, "flask", "gunicorn"),
        missing=partial(missing_module, "flask", "gunicorn"),
    ),
    Server(
        name="flask-waitress",
        title="Flask, waitress, 8 threads",
        command=waitress(FLASK, threads=8),
        versions=partial(package_versions, "flask", "waitress"),
        missing=partial(missing_module, "flask", "waitress"),
        scenarios=MAIN,
        lacks={"tls": "waitress has no TLS", "h2": "waitress has no HTTP/2"},
    ),
    Server(
        name="quart-stock",
        title="Quart's own send_from_directory, Hypercorn",
        command=hypercorn("benchmarks.servers.quart_app:app"),
        versions=partial(package_versions, "quart", "hypercorn"),
        missing=partial(missing_module, "quart", "hypercorn"),
        scenarios=HTTP2,
    ),
    Server(
        name="starlette",
        title="Starlette StaticFiles, uvicorn",
        command=uvicorn("benchmarks.servers.starlette_app:app"),
        versions=partial(package_versions, "starlette", "uvicorn", "uvloop", "httptools"),
        missing=partial(missing_module, "starlette", "uvicorn"),
        scenarios=MAIN,
        lacks={"h2": "uvicorn has no HTTP/2"},
    ),
    Server(
        name="aiohttp",
        title="aiohttp add_static",
        command=_aiohttp,
        versions=partial(package_versions, "aiohttp"),
        missing=partial(missing_module, "aiohttp"),
        scenarios=MAIN | {"listing"},
        lacks={"h2": "aiohttp has no HTTP/2"},
    ),
)
