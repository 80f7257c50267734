"""curl, wget and aria2c with `serve`: they save the exact bytes of the file."""

import hashlib
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from harness.waiting import eventually

from tools.command import Command
from tools.programs import run

_SIZE = 30 * 1024 * 1024
_HELD = 12_345_678  # bytes of an earlier, interrupted download


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a file of random bytes."""
    tree = tmp_path_factory.mktemp("tree")
    (tree / "random.bin").write_bytes(Random(3).randbytes(_SIZE))
    return tree


@pytest.fixture
def held(tree: Path, tmp_path: Path) -> Path:
    """The first part of the file, left by an earlier download."""
    path = tmp_path / "random.bin"
    path.write_bytes((tree / "random.bin").read_bytes()[:_HELD])
    return path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def _log(command: Command, *, lines: int = 1) -> list[dict[str, Any]]:
    await eventually(lambda: len(command.log) >= lines)
    return [json.loads(line) for line in command.log]


@pytest.mark.parametrize(
    ("asked", "span"),
    [("10-19", slice(10, 20)), ("-10", slice(-10, None)), (f"{_SIZE - 5}-", slice(-5, None))],
    ids=["middle", "last", "from"],
)
async def test_curl_fetches_a_range(command: Command, tree: Path, asked: str, span: slice) -> None:
    assert run("curl", "-sS", "-r", asked, f"{command.url}/random.bin") == (tree / "random.bin").read_bytes()[span]
    (record,) = await _log(command)
    assert (record["status"], record["range"]) == (206, f"bytes={asked}")


async def test_curl_resumes(command: Command, tree: Path, held: Path) -> None:
    run("curl", "-sS", "-C", "-", "-o", held, f"{command.url}/random.bin")
    assert _digest(held) == _digest(tree / "random.bin")
    (record,) = await _log(command)
    assert (record["status"], record["bytes"], record["aborted"]) == (206, _SIZE - _HELD, False)


async def test_curl_takes_the_name_from_the_response(command: Command, tree: Path, tmp_path: Path) -> None:
    run("curl", "-sS", "-OJ", f"{command.url}/random.bin?download", cwd=tmp_path)
    assert _digest(tmp_path / "random.bin") == _digest(tree / "random.bin")


async def test_wget_resumes(command: Command, tree: Path, held: Path) -> None:
    run("wget", "--no-config", "-q", "-c", f"{command.url}/random.bin", cwd=held.parent)
    assert _digest(held) == _digest(tree / "random.bin")
    (record,) = await _log(command)
    assert (record["status"], record["range"]) == (206, f"bytes={_HELD}-")


async def test_wget_does_not_resume_a_complete_file(command: Command, tree: Path, tmp_path: Path) -> None:
    for _ in range(2):
        run("wget", "--no-config", "-q", "-c", f"{command.url}/random.bin", cwd=tmp_path)
    assert _digest(tmp_path / "random.bin") == _digest(tree / "random.bin")
    assert [record["status"] for record in await _log(command, lines=2)] == [200, 416]


async def test_aria2c_fetches_by_eight_connections(command: Command, tree: Path, tmp_path: Path) -> None:
    options = ("--no-conf", "-q", "-x8", "-s8", "-k1M", "--allow-overwrite=true", "--file-allocation=none")
    run("aria2c", *options, "-d", tmp_path, f"{command.url}/random.bin")
    assert _digest(tmp_path / "random.bin") == _digest(tree / "random.bin")
    records = await _log(command, lines=8)
    assert len({record["range"] for record in records if record["status"] == 206}) >= 7
