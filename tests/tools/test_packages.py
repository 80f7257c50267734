"""zsync and apt with `serve`: they ask for many ranges at once, and for paths with dots in them."""

import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Final

import pytest
from harness.waiting import eventually

from tools.command import Command, serving
from tools.programs import run

_SIZE: Final = 3_000_000
_CONTROL: Final = """\
Package: tiny
Version: 1
Architecture: all
Maintainer: Nobody <nobody@example.org>
Description: nothing
"""
# With its own folders and files, apt-get needs no root, and reads nothing of the machine's own configuration.
_APT: Final = """\
Dir "{root}";
Dir::Etc "etc";
Dir::Etc::parts "none";
Dir::State "state";
Dir::State::status "{root}/status";
Dir::Cache "cache";
Dir::Log "log";
APT::Architecture "all";
APT::Sandbox::User "";
Acquire::http::Proxy "false";
Acquire::Retries "0";
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty directory to serve."""
    tree = tmp_path / "tree"
    tree.mkdir()
    return tree


@pytest.fixture
async def command(tree: Path) -> AsyncIterator[Command]:
    """A server with an access log in JSON."""
    async with serving(tree, "--access-log", "json") as command:
        yield command


async def test_zsync_fetches_only_what_an_older_file_lacks(command: Command, tree: Path, tmp_path: Path) -> None:
    content = Random(5).randbytes(_SIZE)
    (tree / "new.bin").write_bytes(content)
    older = bytearray(content)
    for start in range(0, _SIZE, 60_000):
        older[start : start + 20] = bytes(20)
    (tmp_path / "old.bin").write_bytes(older)
    run("zsyncmake", "-u", "new.bin", "-o", "new.bin.zsync", "new.bin", cwd=tree)
    run("zsync", "-q", "-i", "old.bin", f"{command.url}/new.bin.zsync", cwd=tmp_path)
    assert (tmp_path / "new.bin").read_bytes() == content
    await eventually(lambda: len(command.log) >= 2)
    ranged = [record for record in map(json.loads, command.log) if record["target"] == "/new.bin"]
    assert {record["status"] for record in ranged} == {206}
    assert any("," in record["range"] for record in ranged)
    assert sum(record["bytes"] for record in ranged) < _SIZE / 4


@pytest.mark.parametrize(
    ("source", "filename"),
    [
        pytest.param("deb ./", "./tiny_1_all.deb", id="a dot as the suite, and in the name"),
        pytest.param("deb /", "tiny_1_all.deb", id="a slash as the suite"),
        pytest.param(" deb/", "deb/tiny_1_all.deb", id="a folder as the suite"),
        pytest.param("deb ./", "../deb//tiny_1_all.deb", id="a way up and two slashes in the name"),
    ],
)
async def test_apt_installs_from_a_flat_repository(
    command: Command, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, filename: str
) -> None:
    _make_repository(tree / "deb", filename, tmp_path)
    _make_apt(tmp_path / "apt", f"deb [trusted=yes] {command.url}/{source}")
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt" / "apt.conf"))
    run("apt-get", "-qq", "update")
    run("apt-get", "-qq", "download", "tiny", cwd=tmp_path)
    assert (tmp_path / "tiny_1_all.deb").read_bytes() == (tree / "deb" / "tiny_1_all.deb").read_bytes()


def _make_repository(folder: Path, filename: str, scratch: Path) -> None:
    """Make a folder with one package, and the index that names it."""
    (scratch / "package" / "DEBIAN").mkdir(parents=True, mode=0o755)
    (scratch / "package" / "DEBIAN" / "control").write_text(_CONTROL)
    folder.mkdir()
    package = folder / "tiny_1_all.deb"
    run("dpkg-deb", "--root-owner-group", "-b", scratch / "package", package)
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    size = package.stat().st_size
    (folder / "Packages").write_text(f"{_CONTROL}Filename: {filename}\nSize: {size}\nSHA256: {digest}\n\n")


def _make_apt(root: Path, sources: str) -> None:
    """Make a root folder for apt-get with one source of packages."""
    for name in ("etc", "state/lists/partial", "cache/archives/partial", "log"):
        (root / name).mkdir(parents=True)
    (root / "status").touch()
    (root / "etc" / "sources.list").write_text(f"{sources}\n")
    (root / "apt.conf").write_text(_APT.format(root=root))
    os.chmod(root, 0o755)
