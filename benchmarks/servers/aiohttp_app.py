"""aiohttp's way to serve a directory, on aiohttp's own server."""

import os
import sys

from aiohttp import web

from benchmarks.servers.base import DIRECTORY, HOST


def main() -> None:
    """Serve until stopped, on the port that is the only argument."""
    app = web.Application()
    app.router.add_static("/", os.environ[DIRECTORY])
    web.run_app(app, host=HOST, port=int(sys.argv[1]), access_log=None, backlog=2048, print=None)


if __name__ == "__main__":
    main()
