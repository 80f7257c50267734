"""aiohttp's way to serve a directory, on aiohttp's own server."""

import os
import ssl
import sys

from aiohttp import web

from benchmarks.servers.base import DIRECTORY


def main() -> None:
    """Serve until stopped, on the host and port of the first arguments; with a certificate and its key, by TLS."""
    app = web.Application()
    app.router.add_static("/", os.environ[DIRECTORY], show_index=True)
    host, port, *files = sys.argv[1:]
    web.run_app(app, host=host, port=int(port), ssl_context=_tls(files), access_log=None, backlog=2048, print=None)


def _tls(files: list[str]) -> ssl.SSLContext | None:
    if not files:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    return context


if __name__ == "__main__":
    main()
