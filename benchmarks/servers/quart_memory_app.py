"""The least a Quart view can cost: bytes that are already there."""

import os
from pathlib import Path

from quart import Quart

from benchmarks.servers.base import DIRECTORY
from benchmarks.tree import SMALL

app = Quart(__name__, static_folder=None)
files = {name: (Path(os.environ[DIRECTORY]) / name).read_bytes() for name in SMALL}


@app.get("/<path:name>")
async def download(name: str) -> bytes:
    """Return the whole body."""
    return files[name]
