"""This project's ASGI application over a directory."""

import os
from pathlib import Path

from async_downloads import Downloads
from async_downloads.sources.directory import DirectoryStore
from benchmarks.servers.base import DIRECTORY

app = Downloads(DirectoryStore(Path(os.environ[DIRECTORY])))
