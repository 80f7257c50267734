"""`async-downloads get` in the test's own process, and a server for it in another thread."""

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
from harness.chaos import Chaos, Faults
from harness.origin import OriginResponse, Request, text
from harness.threaded import threaded
from harness.versions import MIB, Version

from async_downloads.cli import main

__all__ = ["SHA256", "SIZE", "VERSION", "Get", "Got", "Origin", "files", "folder", "get", "origin"]

SIZE = 3 * MIB + 7
VERSION = Version(0, SIZE)
"""The file at each path of the origin without another meaning."""
SHA256 = f"sha256:{hashlib.sha256(VERSION.read(0, SIZE)).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Got:
    """The exit code and the output of the command."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def lines(self) -> list[str]:
        """The lines on standard error, which must not have a traceback."""
        assert "Traceback" not in self.stderr, self.stderr
        return self.stderr.splitlines()

    @property
    def line(self) -> str:
        """The only line on standard error."""
        [line] = self.lines
        return line


class Get(Protocol):
    """Runs the command."""

    def __call__(self, *arguments: object) -> Got:
        """Run it to its end."""


@pytest.fixture
def get(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Get:
    """Run the command in this process, which is faster than a new one."""

    def run(*arguments: object) -> Got:
        monkeypatch.setattr(sys, "argv", ["async-downloads", "get", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        stdout, stderr = capfdbinary.readouterr()
        assert isinstance(ended.value.code, int)
        return Got(ended.value.code, stdout, stderr.decode())

    return run


@dataclass(slots=True)
class Origin:
    """A server, and its requests. If a path is a number, the response has this status."""

    chaos: Chaos = field(default_factory=lambda: Chaos(Faults(size=SIZE)))
    requests: list[Request] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)  # of the next responses, for every path
    base: str = ""

    def __post_init__(self) -> None:
        self.chaos.spoil = self._respond

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"{self.base}/{path}"

    def _respond(self, request: Request, response: OriginResponse) -> OriginResponse:
        self.requests.append(request)
        path = request.target.partition("?")[0].removeprefix("/")
        if path == "round-and-round":
            return text(302, "again\n", Location=f"/{path}")
        if self.statuses or path.isdigit():
            return text(self.statuses.pop(0) if self.statuses else int(path), "no\n", Retry_After="0")
        return response


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A server without faults, unless a test sets some."""
    server = Origin()
    with threaded(server.chaos.listening()) as url:
        server.base = url.rpartition("/")[0]
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    """Return the names in a folder."""
    return {path.name for path in folder.iterdir()}
