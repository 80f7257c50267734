"""The keywords of `download` are those of `Downloader` and of `Downloader.fetch`, and a type checker knows them."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from async_downloads.client import Downloader
from async_downloads.client.options import DownloaderOptions, FetchOptions

PROGRAM = """
from async_downloads.client import download

async def main() -> None:
    await download("http://example.com/a", connections=2, checksum="sha256:00")
    await download("http://example.com/a", conections=2)
"""


@pytest.mark.parametrize(
    ("options", "function"), [(DownloaderOptions, Downloader.__init__), (FetchOptions, Downloader.fetch)]
)
def test_every_keyword_is_listed(options: type, function: object) -> None:
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    keywords = {each.name: each.annotation for each in parameters if each.kind is each.KEYWORD_ONLY}
    assert keywords.keys() == options.__annotations__.keys()


def test_a_misspelt_keyword_is_an_error_to_mypy(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--cache-dir=cache", "--follow-imports=silent", "program.py"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "program.py:6: error" in ended.stdout
    assert "conections" in ended.stdout
    assert "Found 1 error" in ended.stdout
