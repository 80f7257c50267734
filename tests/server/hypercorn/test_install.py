"""The one door to Hypercorn: it stays closed when a name behind it is missing."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import FunctionType

import hypercorn.asyncio.run
import hypercorn.protocol.h2
import hypercorn.protocol.h11
import pytest
from tools.command import ANY_PORT, running

import async_downloads.server.hypercorn as door
from async_downloads.server.hypercorn.install import NAMES, VERSION, install

REPLACED = (
    (hypercorn.asyncio.run, "TCPServer"),
    (hypercorn.protocol, "H11Protocol"),
    (hypercorn.protocol.h11, "HTTPStream"),
    (hypercorn.protocol.h2, "StreamBuffer"),
)
EACH_NAME = [pytest.param(place, name, id=f"{place}:{name}") for place, names in NAMES.items() for name in names]


def replaced_classes() -> list[object]:
    return [getattr(module, name) for module, name in REPLACED]


@pytest.fixture(autouse=True)
def _undo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put Hypercorn's classes back after the test."""
    for module, name in REPLACED:
        monkeypatch.setattr(module, name, getattr(module, name))


def remove(place: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove a name from a module or a class, with each mention of it in the methods of the class."""
    module, _, kind = place.partition(":")
    owner = import_module(module)
    if not kind:
        monkeypatch.delattr(owner, name)
        return
    attributes = vars(getattr(owner, kind)).items()
    kept = {key: without(name, value) for key, value in attributes if key not in {name, "__dict__", "__weakref__"}}
    monkeypatch.setattr(owner, kind, type(kind, (), kept))


def without(name: str, value: object) -> object:
    """Return a copy of a function that mentions another name; return anything else as it is."""
    if not isinstance(value, FunctionType):
        return value
    code = value.__code__
    code = code.replace(co_names=tuple("renamed" if each == name else each for each in code.co_names))
    return FunctionType(code, value.__globals__, value.__name__, value.__defaults__, value.__closure__)


def test_all_four_classes_are_replaced(capfd: pytest.CaptureFixture[str]) -> None:
    before = replaced_classes()
    assert install()
    assert not set(before) & set(replaced_classes())
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("place", "name"), EACH_NAME)
def test_if_a_name_is_missing_one_line_says_so_and_nothing_is_replaced(
    place: str, name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    remove(place, name, monkeypatch)
    before = [vars(module).get(name) for module, name in REPLACED]
    assert not install()
    assert [vars(module).get(name) for module, name in REPLACED] == before
    reason = f"this Hypercorn has no {place}:{name}"
    assert capfd.readouterr().err == f"async-downloads: serving without zero-copy sending: {reason}\n"


def test_an_untested_version_is_left_alone(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    before = replaced_classes()
    monkeypatch.setattr("async_downloads.server.hypercorn.install.version", lambda _: "0.99.1")
    assert not install()
    assert replaced_classes() == before
    assert f"tested with Hypercorn {VERSION}*, not with 0.99.1\n" in capfd.readouterr().err


@pytest.mark.parametrize(("place", "name"), EACH_NAME)
def test_the_docstring_of_the_package_lists_each_name(place: str, name: str) -> None:
    listed = set(re.findall(r"\w+", door.__doc__ or ""))
    assert {name, *place.split(":")[1:]} <= listed


@pytest.mark.parametrize("workers", [1, 2])
async def test_serve_goes_on_with_plain_hypercorn(tmp_path: Path, workers: int) -> None:
    content = bytes(range(256)) * 8192
    (tmp_path / "a.bin").write_bytes(content)
    program = (
        "import hypercorn.asyncio.worker_context as context; del context.AsyncioSingleTask;"
        "from async_downloads.cli import main; main()"
    )
    command = (sys.executable, "-c", program)
    async with running("serve", tmp_path, *ANY_PORT, "--workers", workers, command=command) as server:
        assert server.get("/a.bin").content == content
        assert server.stderr == (
            "async-downloads: serving without zero-copy sending: "
            "this Hypercorn has no hypercorn.asyncio.worker_context:AsyncioSingleTask\n"
        )
        server.process.terminate()
        assert await server.ended() == 0


@pytest.mark.parametrize(
    "module", ["async_downloads", "async_downloads.asgi", "async_downloads.client", "async_downloads.sources.directory"]
)
def test_only_serve_needs_hypercorn(module: str) -> None:
    program = f"""
import sys
sys.modules["hypercorn"] = None
import {module}
from async_downloads import DirectoryStore, Downloads
Downloads(DirectoryStore("."))
"""
    subprocess.run([sys.executable, "-c", program], check=True)
