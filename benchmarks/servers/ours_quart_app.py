"""A Quart view with this project's ``send_from_directory``."""

import os

from quart import Quart, Response

from async_downloads import send_from_directory
from async_downloads.quart import init_app
from benchmarks.servers.base import DIRECTORY

app = Quart(__name__, static_folder=None)
app.config["SEND_FILE_MAX_AGE_DEFAULT"] = None  # as Flask has it, so that the responses have the same fields
init_app(app)
directory = os.environ[DIRECTORY]


@app.get("/<path:name>")
async def download(name: str) -> Response:
    """Send a file: the stock view with another import."""
    return await send_from_directory(directory, name)
