"""This project's ASGI application over the large file's bytes in memory."""

import os
from pathlib import Path

from async_downloads import Downloads
from async_downloads.semantics.representation import Representation
from async_downloads.sources.memory import MemorySource, MemoryStore
from benchmarks.servers.base import DIRECTORY
from benchmarks.tree import LARGE

content = (Path(os.environ[DIRECTORY]) / LARGE).read_bytes()
app = Downloads(MemoryStore({LARGE: MemorySource(content, Representation(len(content)))}))
