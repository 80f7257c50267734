"""Other programs read the archives of `serve`, and resume them: unzip, 7z, bsdtar, curl and our own `get`."""

import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Final

import pytest
from harness.waiting import HANGING, eventually

from tools.command import COMMAND, Command, environment, serving
from tools.programs import need, run

_SMALL: Final = {"empty": b"", "sub/deep/naïve 日本.txt": b"text", f"{'long' * 60}.txt": b"long"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of all kinds, one of them with its checksum behind its data."""
    folder = tmp_path_factory.mktemp("served") / "photos"
    for name, data in _SMALL.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    for name, mebibytes in (("large.bin", 70), ("medium.bin", 5)):  # a zip has the checksum of the first behind it
        (folder / name).write_bytes(Random(name).randbytes(mebibytes * 1024 * 1024))
    (folder / "nothing").mkdir()
    return folder


@pytest.fixture
async def command(folder: Path) -> AsyncIterator[Command]:
    """A server of the folder, in a process of its own."""
    async with serving(folder.parent) as command:
        yield command


def _saved(command: Command, kind: str, path: Path) -> Path:
    run("curl", "-sSf", "-o", path, f"{command.url}/photos/?{kind}")
    return path


def _tree(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder, and the folders, whose names end with a slash."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*"))}
    return {
        f"{name}/" if path.is_dir() else name: b"" if path.is_dir() else path.read_bytes()
        for name, path in found.items()
    }


@pytest.mark.parametrize(
    ("kind", "program"),
    [
        pytest.param("zip", ("unzip", "-q"), id="unzip"),
        pytest.param("zip", ("7z", "x", "-bd"), id="7z"),
        pytest.param("zip", ("bsdtar", "-xf"), id="bsdtar zip"),
        pytest.param("tar", ("bsdtar", "-xf"), id="bsdtar tar"),
        pytest.param("tar", ("tar", "-xf"), id="GNU tar"),
        pytest.param("tar", ("7z", "x", "-bd"), id="7z tar"),
    ],
)
async def test_a_program_unpacks_the_whole_folder(
    command: Command, folder: Path, tmp_path: Path, kind: str, program: tuple[str, ...]
) -> None:
    archive = _saved(command, kind, tmp_path / f"all.{kind}")
    run(*program, archive, cwd=tmp_path)
    assert _tree(tmp_path / "photos") == _tree(folder)
    unpacked, original = (path / "medium.bin" for path in (tmp_path / "photos", folder))
    assert int(unpacked.stat().st_mtime) == int(original.stat().st_mtime)


@pytest.mark.parametrize("program", [("unzip", "-t"), ("7z", "t"), ("bsdtar", "-tf")], ids=lambda program: program[0])
async def test_a_program_finds_no_fault_in_the_zip(command: Command, tmp_path: Path, program: tuple[str, ...]) -> None:
    run(*program, _saved(command, "zip", tmp_path / "all.zip"))


@pytest.mark.parametrize("kind", ["zip", "tar"])
async def test_an_archive_is_read_from_a_pipe(command: Command, folder: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "piped").mkdir()
    fetch = ["curl", "-sSf", f"{command.url}/photos/?{kind}"]
    unpack = [need("bsdtar"), "-xf", "-"]
    with subprocess.Popen(fetch, stdout=subprocess.PIPE) as fetching:
        subprocess.run(unpack, stdin=fetching.stdout, cwd=tmp_path / "piped", check=True, timeout=HANGING)
    assert fetching.returncode == 0
    assert _tree(tmp_path / "piped" / "photos") == _tree(folder)


@pytest.mark.parametrize("restarted", [False, True], ids=["same server", "server that was restarted"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
async def test_curl_resumes_at_any_byte(folder: Path, tmp_path: Path, kind: str, *, restarted: bool) -> None:
    path = tmp_path / "all"
    async with serving(folder.parent) as first:
        whole = _saved(first, kind, path).read_bytes()
        for cut in (1, 40_000_000, len(whole) - 50):
            os.truncate(path, cut)
            run("curl", "-sSf", "-C", "-", "-o", path, f"{first.url}/photos/?{kind}")
            assert path.read_bytes() == whole
    if restarted:
        for cut in (40_000_000, len(whole) - 50):
            async with serving(folder.parent) as again:
                os.truncate(path, cut)
                run("curl", "-sSf", "-C", "-", "-o", path, f"{again.url}/photos/?{kind}")
                assert path.read_bytes() == whole


@pytest.mark.parametrize("kind", ["zip", "tar"])
async def test_get_with_four_connections_is_killed_and_resumes(
    command: Command, folder: Path, tmp_path: Path, kind: str
) -> None:
    target = tmp_path / f"photos.{kind}"
    get = [*COMMAND, "get", "-q", "-x4", "-o", str(target), f"{command.url}/photos/?{kind}"]
    part = tmp_path / f"photos.{kind}.part"
    process = subprocess.Popen([*get, "--limit-rate", "20M"], env=environment())
    await eventually(lambda: part.exists() and part.stat().st_blocks * 512 > 5_000_000)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    subprocess.run(get, env=environment(), check=True, timeout=HANGING)
    assert target.read_bytes() == _saved(command, kind, tmp_path / "whole").read_bytes()
