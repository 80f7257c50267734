"""Starlette's way to serve a directory."""

import os

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from benchmarks.servers.base import DIRECTORY

app = Starlette(routes=[Mount("/", StaticFiles(directory=os.environ[DIRECTORY]))])
