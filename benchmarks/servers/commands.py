"""Command lines of the application servers: one worker, no access log, limits high enough for the crowd."""

from collections.abc import Callable

from benchmarks.servers.base import PYTHON, Site

__all__ = ["CROWD", "granian", "gunicorn", "hypercorn", "uvicorn", "waitress"]

BACKLOG = "2048"
CROWD = "20000"  # connections; several servers accept only 100 or 1,000 by default
Command = Callable[[Site], list[str]]


def gunicorn(worker: str, application: str, *options: str) -> Command:
    """Run a WSGI application on gunicorn."""
    fixed = ["-w", "1", "--backlog", BACKLOG, "--log-level", "error", "--no-control-socket"]

    def command(site: Site) -> list[str]:
        tls = site.tls("--certfile", "--keyfile")
        http2 = ["--http-protocols", "h2,h1"] if tls and worker == "gthread" else []
        return [PYTHON, "-m", "gunicorn", "-k", worker, *fixed, *options, *tls, *http2, "-b", site.address, application]

    return command


def waitress(application: str, *, threads: int) -> Command:
    """Run a WSGI application on waitress, with poll: select ends at 1,024 descriptors."""
    fixed = [f"--threads={threads}", f"--connection-limit={CROWD}", f"--backlog={BACKLOG}", "--asyncore-use-poll"]

    def command(site: Site) -> list[str]:
        return [PYTHON, "-m", "waitress", *fixed, f"--host={site.host}", f"--port={site.port}", application]

    return command


def hypercorn(application: str) -> Command:
    """Run an ASGI application on Hypercorn with the worker on plain asyncio."""
    fixed = ["-w", "1", "-k", "asyncio", "--backlog", BACKLOG, "--log-level", "error"]
    limits = ["-c", "python:benchmarks.servers.hypercorn_config"]

    def command(site: Site) -> list[str]:
        tls = site.tls("--certfile", "--keyfile")
        return [PYTHON, "-m", "hypercorn", *limits, *fixed, *tls, "-b", site.address, application]

    return command


def uvicorn(application: str) -> Command:
    """Run an ASGI application on uvicorn with the fastest loop and parser that are installed."""
    fixed = ["--workers", "1", "--loop", "auto", "--http", "auto", "--backlog", BACKLOG]
    quiet = ["--no-access-log", "--log-level", "error"]

    def command(site: Site) -> list[str]:
        tls = site.tls("--ssl-certfile", "--ssl-keyfile")
        return [PYTHON, "-m", "uvicorn", *fixed, *quiet, *tls, *_listening(site), application]

    return command


def granian(application: str) -> Command:
    """Run an ASGI application on Granian."""
    fixed = ["--interface", "asgi", "--no-ws", "--workers", "1", "--log-level", "error"]
    limits = ["--backlog", BACKLOG, "--backpressure", CROWD]

    def command(site: Site) -> list[str]:
        tls = site.tls("--ssl-certificate", "--ssl-keyfile")
        spoken = ["--http", "auto" if tls else "1", *tls]
        return [PYTHON, "-m", "granian", *fixed, *limits, *spoken, *_listening(site), application]

    return command


def _listening(site: Site) -> list[str]:
    """Return the options for the address."""
    return ["--host", site.host, "--port", str(site.port)]
