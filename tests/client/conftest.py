"""What the tests of downloads share: a server inside the process, and downloads from it."""

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
    """Where to."""
    return tmp_path / "target"


@pytest.fixture
def part_file(path: Path) -> Iterator[PartFile]:
    """An open part_file."""
    part_file = PartFile(path, "u")
    yield part_file
    part_file.close()


@pytest.fixture
async def still(monkeypatch: pytest.MonkeyPatch) -> StillClock:
    """A clock that stands still."""
    return StillClock(monkeypatch)


@pytest.fixture
async def skipping(monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    """A clock that goes on while somebody sleeps."""
    return SkippingClock(monkeypatch)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the second of the dice only: no test is to sleep."""
    monkeypatch.setattr("async_downloads.client.decisions.retries._FIRST_WAIT_SECONDS", 0.0)


@pytest.fixture
async def one(remote: Remote) -> AsyncIterator[Downloader]:
    """Downloads over one connection."""
    async with remote.client() as client, Downloader(connections=1, client=client) as downloader:
        yield downloader


@pytest.fixture
async def four(remote: Remote) -> AsyncIterator[Downloader]:
    """Downloads over four connections."""
    async with remote.client() as client, Downloader(client=client) as downloader:
        yield downloader
