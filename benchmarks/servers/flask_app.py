"""Flask's way to serve a directory."""

import os

from flask import Flask, Response, send_from_directory

from benchmarks.servers.base import DIRECTORY

app = Flask(__name__, static_folder=None)
directory = os.environ[DIRECTORY]


@app.get("/<path:name>")
def download(name: str) -> Response:
    """Send a file; gunicorn and waitress take it from there with their own file wrapper."""
    return send_from_directory(directory, name)
