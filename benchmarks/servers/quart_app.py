"""Quart's own way to serve a directory."""

import os

from quart import Quart, Response, send_from_directory

from benchmarks.servers.base import DIRECTORY

app = Quart(__name__, static_folder=None)
directory = os.environ[DIRECTORY]


@app.get("/<path:name>")
async def download(name: str) -> Response:
    """Send a file as the framework does without us."""
    return await send_from_directory(directory, name)
