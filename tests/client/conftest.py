"""Fixtures of the client's tests: a server inside the process, and downloaders that use it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from harness.clock import SkippingClock, StillClock

from async_downloads.client import Downloader
from async_downloads.client.disk.part_file import PartFile
from client.remote import Remote


@pytest.fixture
def remote() -> Remote:
    """A server with a file of a little more than 3 MiB."""
    return Remote()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path to download to."""
    return tmp_path / "target"


@pytest.fixture
def part_file(path: Path) -> Iterator[PartFile]:
    """An open part file."""
    part_file = PartFile(path, "u")
    yield part_file
    part_file.close()


@pytest.fixture
async def still(monkeypatch: pytest.MonkeyPatch) -> StillClock:
    """A clock that stands still."""
    return StillClock(monkeypatch)


@pytest.fixture
async def skipping(monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    """A clock that a sleep moves forward at once."""
    return SkippingClock(monkeypatch)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the first wait before a retry 0 seconds, so that no test sleeps."""
    monkeypatch.setattr("async_downloads.client.decisions.retries._FIRST_WAIT_SECONDS", 0.0)


@pytest.fixture
async def one(remote: Remote) -> AsyncIterator[Downloader]:
    """A downloader with one connection."""
    async with remote.client() as client, Downloader(connections=1, client=client) as downloader:
        yield downloader


@pytest.fixture
async def four(remote: Remote) -> AsyncIterator[Downloader]:
    """A downloader with four connections."""
    async with remote.client() as client, Downloader(client=client) as downloader:
        yield downloader
