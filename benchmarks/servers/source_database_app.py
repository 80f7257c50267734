"""This project's ASGI application over a catalogue: PostgreSQL's when there is no SQLite database to serve."""

import os
from pathlib import Path

from async_downloads import Downloads
from async_downloads.sources.database.urls import open_catalogue
from benchmarks.servers.base import SCRATCH
from benchmarks.servers.databases import POSTGRES, sqlite_url

scratch = Path(os.environ[SCRATCH])
app = Downloads(open_catalogue(sqlite_url(scratch) if (scratch / "files.db").exists() else os.environ[POSTGRES]))
