"""Tools that get packages and repositories from plain folders: pip and git."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.served import served
from harness.threaded import threaded
from harness.waiting import HANGING
from served_site.site import app_of
from tools.command import environment
from tools.programs import need

from async_downloads.config import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The served folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    """The URL of the folder, without a slash at its end."""
    with threaded(served(app_of(Settings(directory=folder)))) as server:
        yield server.url


def _wheel(folder: Path, name: str, version: str) -> Path:
    """Write a wheel that holds one module."""
    info = f"{name}-{version}.dist-info"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.mark.parametrize("version", ["1.0", "2.0+local"])
def test_pip_finds_links_to_packages(folder: Path, url: str, tmp_path: Path, version: str) -> None:
    (folder / "wheels").mkdir()
    newest = _wheel(folder / "wheels", "tiny_package", version)
    _wheel(folder / "wheels", "tiny_package", "0.9")
    _wheel(folder / "wheels", "other_package", "3.0")
    pip = (sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--no-cache-dir")
    where = ("--no-index", "--find-links", f"{url}/wheels/", "--dest", str(tmp_path / "saved"))
    command = [*pip, "download", *where, "tiny-package"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=HANGING, check=False)
    assert ended.returncode == 0, ended.stderr
    assert [path.read_bytes() for path in (tmp_path / "saved").iterdir()] == [newest.read_bytes()]


def _git(*arguments: object, home: Path) -> str:
    """Run git without the settings of this machine and its user; return its standard output."""
    env = {
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **{f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    command = [need("git"), *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=HANGING, check=False, env=environment(env))
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _publish(work: Path, bare: Path, text: str, home: Path) -> None:
    """Commit a text and push it to the repository that is served."""
    (work / "file.txt").write_text(text)
    _git("-C", work, "add", "file.txt", home=home)
    _git("-C", work, "commit", "-q", "-m", text, home=home)
    _git("-C", work, "push", "-q", bare, "HEAD:refs/heads/main", home=home)
    _git("-C", bare, "update-server-info", home=home)


@pytest.mark.parametrize("packed", [False, True], ids=["loose objects", "packed objects"])
def test_git_clones_and_fetches_over_dumb_http(folder: Path, url: str, tmp_path: Path, packed: bool) -> None:
    work, bare, clone = tmp_path / "work", folder / "project.git", tmp_path / "clone"
    _git("init", "-q", work, home=tmp_path)
    _git("init", "-q", "--bare", "--initial-branch=main", bare, home=tmp_path)
    _publish(work, bare, "first", tmp_path)
    if packed:
        _git("-C", bare, "gc", "-q", home=tmp_path)
    _git("clone", "-q", f"{url}/project.git", clone, home=tmp_path)
    assert (clone / "file.txt").read_text() == "first"
    _publish(work, bare, "second", tmp_path)
    _git("-C", clone, "pull", "-q", home=tmp_path)
    assert (clone / "file.txt").read_text() == "second"
