"""A module imports only from its own layer and from lower ones, and no modules import each other in a circle.

    L8  __main__
    L7  cli, commands
    L6  server
    L5  site, config, setting_rows         client: semantics, flushing, open_file, threads, errors and extras only
    L4  asgi, quart, starlette
    L3  body, responder, region_messages, middlewares, sending, content, request_target,
        wanted_digests, negotiation, offload, access
        testing                            sources, semantics and errors only
    L2  sources
    L1  semantics                          no I/O, nothing asynchronous, no clock, no randomness
    L0  client_address, errors, extras, file_systems, flushing, open_file, recent_paths, threads, pacing, timeouts,
        deprecation, secret_files, setting_texts, source_events

The public names of the package itself load what they need when they are first used: any layer below `cli` that
imported them would import upwards. Inside `client`, the decisions know neither the disk nor HTTP, and HTTP does not
know the disk.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from source_tree import FILES, PACKAGE, imported, module_of, modules, strongly_connected, top_level_imports

LAYERS = (
    {
        "client_address",
        "deprecation",
        "errors",
        "extras",
        "file_systems",
        "flushing",
        "open_file",
        "pacing",
        "recent_paths",
        "secret_files",
        "setting_texts",
        "source_events",
        "threads",
        "timeouts",
    },
    {"semantics"},
    {"sources"},
    {"body", "region_messages", "testing"},
    {"middlewares", "responder"},
    {"sending"},
    {"content", "negotiation", "offload", "request_target", "wanted_digests"},
    {"access"},
    {"asgi", "health", "quart", "starlette"},
    {"site", "config", "setting_rows", "client"},
    {"server"},
    {"cli", "commands", "__init__"},
    {"__main__"},
)
LEVELS = {part: level for level, parts in enumerate(LAYERS) for part in parts}
ADAPTERS = 8
ONLY = {
    "client": {"client", "semantics", "flushing", "open_file", "threads", "errors", "extras"},
    "semantics": {"semantics", "errors"},
    "testing": {"testing", "sources", "semantics", "errors"},
}
SERVED_OR_FETCHED = {"quart", "hypercorn", "httpx", "click"}
BANNED = {
    "client": {"quart", "hypercorn"},
    "semantics": {"asyncio", "os", "pathlib", "random", "secrets", "socket", "tempfile", "time"},
}
# The parts of the package that must not import certain others.
ROOMS = {
    "client.decisions": ("client.disk", "client.http"),
    "client.http": ("client.disk",),
    "server.http1": ("server.http2", "server.worker", "server.listen", "server.drain"),
    "server.http2": ("server.worker", "server.listen", "server.drain"),
}
# The modules whose names begin with this prefix.
HOMES = {
    "httptools": "server.http1",
    "h2": "server.http2",
    "hpack": "server.http2",
    "prometheus_client": "server.metrics_page",
    "asyncpg": "sources.database.postgres",
    "obstore": "sources.object_storage",
    "starlette": "starlette",
}
ASYNCHRONOUS = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)


def complaints(module: str, source: str) -> list[str]:
    """Return the forbidden imports of a module, whose name begins inside the package."""
    tree = ast.parse(source)
    found = [complaint for name in imported(tree, module) for complaint in _about(module, name)]
    if _part(module) == "semantics" and any(isinstance(node, ASYNCHRONOUS) for node in ast.walk(tree)):
        found.append("semantics may not be asynchronous")
    return found


def _about(module: str, name: str) -> Iterator[str]:
    top, _, inside = name.partition(".")
    if top == PACKAGE:
        yield from _about_own(_part(module), _part(inside) if inside else "__init__")
        yield from _about_rooms(module, inside)
    else:
        yield from _about_foreign(module, top)


def _about_own(part: str, other: str) -> Iterator[str]:
    other = other if other in LEVELS else "__init__"
    if LEVELS[part] < LEVELS[other]:
        yield f"{part} imports {other}, which is above it"
    elif other not in ONLY.get(part, LEVELS):
        yield f"{part} may not import {other}"


def _about_rooms(module: str, other: str) -> Iterator[str]:
    for room, banned in ROOMS.items():
        if _is_in(module, room):
            yield from (f"{room} may not import {each}" for each in banned if _is_in(other, each))


def _is_in(module: str, room: str) -> bool:
    return f"{module}.".startswith(f"{room}.")


def _about_foreign(module: str, name: str) -> Iterator[str]:
    part = _part(module)
    if LEVELS[part] < ADAPTERS and name in SERVED_OR_FETCHED:
        yield f"{part} is below {name}"
    if name in BANNED.get(part, ()) or (part == "semantics" and name not in sys.stdlib_module_names):
        yield f"{part} may not import {name}"
    if not module.startswith(HOMES.get(name, module)):
        yield f"{name} is for {HOMES[name]} alone"


def _part(module: str) -> str:
    return module.partition(".")[0]


def test_every_module_has_a_layer() -> None:
    assert {_part(module_of(file)) for file in FILES} <= set(LEVELS)


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_a_module_imports_nothing_above_it(file: Path) -> None:
    assert complaints(module_of(file), file.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        pytest.param("semantics.plan", "from ..sources.base import Source", "imports sources", id="relative"),
        pytest.param("sources.files", "from .. import open_file, responder", "imports responder", id="relative, two"),
        pytest.param("semantics.__init__", "from ..asgi import Downloads", "imports asgi", id="from a subpackage"),
        pytest.param(
            "sources.files", "from async_downloads.responder import respond", "imports responder", id="absolute"
        ),
        pytest.param("responder", "import async_downloads.quart", "imports quart", id="as a module"),
        pytest.param("responder", "from . import send_file", "imports __init__", id="a public name"),
        pytest.param(
            "responder", "from async_downloads import send_file", "imports __init__", id="absolute public name"
        ),
        pytest.param("open_file", "def f():\n    from .cli import main", "imports cli", id="inside a function"),
        pytest.param(
            "open_file", "if TYPE_CHECKING:\n    from .responder import Body", "imports responder", id="for types"
        ),
        pytest.param("errors", "from .semantics.etags import ETag", "imports semantics", id="from the lowest layer"),
        pytest.param("client.fetch", "from ..sources.base import Source", "not import sources", id="client"),
        pytest.param("client.fetch", "from ..responder import respond", "not import responder", id="client, reply"),
        pytest.param("client.fetch", "from quart import Quart", "not import quart", id="client, quart"),
        pytest.param("site.app", "from ..server.drain import DrainGate", "imports server", id="site, server"),
        pytest.param("testing.rules", "from ..body import Body", "not import body", id="testing"),
        pytest.param("client.decisions.spans", "from ..disk.lock import locked", "import client.disk", id="to disk"),
        pytest.param("client.decisions.spans", "from ..http import errors", "import client.http", id="to http"),
        pytest.param("client.http.exchange", "from .. import disk", "import client.disk", id="http to disk"),
        pytest.param("server.http1.server", "from ..drain import DrainGate", "server.drain", id="server"),
        pytest.param("semantics.plan", "from ..pacing import Pace", "not import pacing", id="semantics"),
        pytest.param("semantics.plan", "import os.path", "not import os", id="semantics, system"),
        pytest.param("semantics.plan", "from time import time", "not import time", id="semantics, clock"),
        pytest.param("semantics.plan", "import random", "not import random", id="semantics, randomness"),
        pytest.param("semantics.plan", "import werkzeug", "not import werkzeug", id="semantics, third party"),
        pytest.param("semantics.plan", "async def f(): pass", "not be asynchronous", id="semantics, asynchronous"),
        pytest.param("responder", "from quart.wrappers import Response", "below quart", id="quart below the adapters"),
        pytest.param("sources.object_storage", "import httpx", "below httpx", id="httpx below the adapters"),
        pytest.param("sources.files", "import asyncpg", "for sources.database.postgres alone", id="asyncpg elsewhere"),
        pytest.param(
            "site.app",
            "from obstore.store import S3Store",
            "for sources.object_storage alone",
            id="obstore outside its file",
        ),
    ],
)
def test_an_import_against_the_rules_is_found(module: str, source: str, complaint: str) -> None:
    (found,) = complaints(module, source)
    assert complaint in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param(
            "semantics.plan", "import re\nfrom .etags import ETag\nfrom ..errors import NotFound", id="semantics"
        ),
        pytest.param("sources.files", "import os\nfrom ..pacing import Pace\nfrom .base import Source", id="sources"),
        pytest.param("sources.database.postgres", "import asyncpg", id="asyncpg at home"),
        pytest.param("sources.database.postgres_pool", "import asyncpg", id="asyncpg beside it"),
        pytest.param("sources.object_storage", "import obstore", id="obstore at home"),
        pytest.param("quart", "from quart import Quart\nfrom .asgi import send_reply", id="quart"),
        pytest.param(
            "client.fetch", "import httpx\nfrom ..semantics.etags import ETag\nfrom . import spans", id="client"
        ),
        pytest.param("client.disk.journal", "from ..decisions.spans import Spans", id="from disk to a decision"),
        pytest.param("cli", "import click\nfrom .client.fetch import fetch\nfrom . import create_app", id="cli"),
        pytest.param("__main__", "from .cli import main", id="the program"),
    ],
)
def test_an_import_by_the_rules_is_not_complained_of(module: str, source: str) -> None:
    assert complaints(module, source) == []


def test_the_package_alone_loads_neither_quart_nor_httpx() -> None:
    program = f"import sys, {PACKAGE}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert not {"quart", "httpx"} & set(loaded.split())


def test_the_site_loads_the_renderers_of_its_pages_when_it_needs_them() -> None:
    program = f"import sys, {PACKAGE}.site.app, {PACKAGE}.server.listen; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert not {"asyncpg", "fpdf", "httpx", "markdown_it", "pygments", "rich", "segno"} & set(loaded.split())


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert strongly_connected(top_level_imports(modules())) == []


def test_a_circle_is_found() -> None:
    sources = {
        "sources.a": "from .b import name",
        "sources.b": "import async_downloads.errors\nfrom .. import sources\nfrom ..sources import c",
        "sources.c": "try:\n    from . import a\nexcept ImportError:\n    pass",
        "sources.__init__": "",
        "errors": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .sources.a import name",
        "__init__": "def f():\n    from .sources import a",
    }
    graph = top_level_imports({module: ast.parse(source) for module, source in sources.items()})
    assert strongly_connected(graph) == [{"sources.a", "sources.b", "sources.c"}]
