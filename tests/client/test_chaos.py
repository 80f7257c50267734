"""Downloads from a server that cuts connections, changes the file, is busy and ignores ranges."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.chaos import Chaos, Faults, chaos_process
from harness.versions import MIB, Version

from async_downloads.client import Downloader, download
from async_downloads.errors import RemoteChanged


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """The path of a large file, which is removed after the test."""
    path = tmp_path / "chaos.bin"
    yield path
    path.unlink(missing_ok=True)


@pytest.mark.timeout(300)  # it takes seconds where the disk is quick
@pytest.mark.parametrize("connections", [1, 4])
async def test_a_gibibyte_arrives_intact_through_all_faults(path: Path, connections: int) -> None:
    cut, changes = (0, 128 * MIB), (150 * MIB, 500 * MIB)
    faults = Faults(seed=2, cut=cut, changes=changes, unavailable=0.08, ignored=0.06)
    with chaos_process(faults) as url:
        result = await download(url, path, connections=connections)
        log = _log(url)
    last = Version(2, faults.size, seed=faults.seed)
    assert last.difference(path) is None
    assert (str(result.validators.etag), result.size) == (last.etag, faults.size)
    assert len({each["connection"] for each in log}) > 20
    assert {(True, 200), (True, 206), (True, 503)} <= {(bool(each["range"]), each["status"]) for each in log}
    assert {f'"2.{number}"' for number in range(3)} <= {each["if_range"] for each in log}


def _log(url: str) -> list[dict[str, Any]]:
    return json.loads(httpx.get(url.replace("/chaos.bin", "/-/log"), timeout=None).text)  # type: ignore[no-any-return]


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("seed", range(5))
async def test_a_small_file_arrives_intact_through_all_faults(path: Path, connections: int, seed: int) -> None:
    size = 6 * MIB + 17
    faults = Faults(size=size, seed=seed, cut=(0, 2 * MIB), changes=(MIB, 3 * MIB), ignored=0.1)
    async with Chaos(faults).listening() as url:
        await download(url, path, connections=connections)
    assert Version(2, size, seed=seed).difference(path) is None


@pytest.mark.parametrize("seed", range(3))
async def test_a_stream_has_the_bytes_of_one_version(seed: int) -> None:
    faults = Faults(size=6 * MIB + 17, seed=seed, cut=(0, 2 * MIB), ignored=0.1)
    async with Chaos(faults).listening() as url, Downloader() as downloader, downloader.open(url) as body:
        data = b"".join([chunk async for chunk in body])
    assert data == Version(0, faults.size, seed=seed).read(0, faults.size)


async def test_a_stream_raises_when_the_version_changes() -> None:
    faults, data = Faults(size=6 * MIB, cut=(2 * MIB, 2 * MIB), changes=(MIB,)), bytearray()

    async def read_on(chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            data.extend(chunk)

    async with Chaos(faults).listening() as url, Downloader() as downloader, downloader.open(url) as body:
        with pytest.raises(RemoteChanged):
            await read_on(aiter(body))
    assert len(data) > MIB
    assert data == Version(0, faults.size).read(0, len(data))
