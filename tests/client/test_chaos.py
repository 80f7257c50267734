"""Downloads through a server that cuts connections, changes the file, is busy and forgets ranges."""

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
def part_file(tmp_path: Path) -> Iterator[Path]:
    """A destination for a file that is not kept for a later look at it: it is large."""
    part_file = tmp_path / "chaos.bin"
    yield part_file
    part_file.unlink(missing_ok=True)


@pytest.mark.timeout(300)  # it takes seconds where the disk is quick
@pytest.mark.parametrize("connections", [1, 4])
async def test_a_gibibyte_arrives_as_it_is_whatever_happens_on_its_way(part_file: Path, connections: int) -> None:
    cut, changes = (0, 128 * MIB), (150 * MIB, 500 * MIB)
    faults = Faults(seed=2, cut=cut, changes=changes, unavailable=0.08, ignored=0.06)
    with chaos_process(faults) as url:
        result = await download(url, part_file, connections=connections)
        log = _log(url)
    last = Version(2, faults.size, seed=faults.seed)
    assert last.difference(part_file) is None
    assert (str(result.validators.etag), result.size) == (last.etag, faults.size)
    assert len({each["connection"] for each in log}) > 20
    assert {(True, 200), (True, 206), (True, 503)} <= {(bool(each["range"]), each["status"]) for each in log}
    assert {f'"2.{number}"' for number in range(3)} <= {each["if_range"] for each in log}


def _log(url: str) -> list[dict[str, Any]]:
    return json.loads(httpx.get(url.replace("/chaos.bin", "/-/log"), timeout=None).text)  # type: ignore[no-any-return]


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("seed", range(5))
async def test_a_small_file_does_too(part_file: Path, connections: int, seed: int) -> None:
    size = 6 * MIB + 17
    faults = Faults(size=size, seed=seed, cut=(0, 2 * MIB), changes=(MIB, 3 * MIB), ignored=0.1)
    async with Chaos(faults).listening() as url:
        await download(url, part_file, connections=connections)
    assert Version(2, size, seed=seed).difference(part_file) is None


@pytest.mark.parametrize("seed", range(3))
async def test_a_stream_is_of_one_version_from_its_beginning_to_its_end(seed: int) -> None:
    faults = Faults(size=6 * MIB + 17, seed=seed, cut=(0, 2 * MIB), ignored=0.1)
    async with Chaos(faults).listening() as url, Downloader() as downloader, downloader.open(url) as body:
        data = b"".join([chunk async for chunk in body])
    assert data == Version(0, faults.size, seed=seed).read(0, faults.size)


async def test_a_stream_ends_when_there_is_another_version() -> None:
    faults, data = Faults(size=6 * MIB, cut=(2 * MIB, 2 * MIB), changes=(MIB,)), bytearray()

    async def read_on(chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            data.extend(chunk)

    async with Chaos(faults).listening() as url, Downloader() as downloader, downloader.open(url) as body:
        with pytest.raises(RemoteChanged):
            await read_on(aiter(body))
    assert len(data) > MIB
    assert data == Version(0, faults.size).read(0, len(data))
