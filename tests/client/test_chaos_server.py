"""The chaos server is correct, apart from the faults it is configured to have."""

from pathlib import Path

import httpx
import pytest
from harness.chaos import Chaos, Faults
from harness.versions import MIB, Version

SIZE = 2 * MIB + 100
MINE, OTHER = Version(0, SIZE), Version(1, SIZE)
DATE, EARLIER = "Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:13:19 GMT"


@pytest.mark.parametrize(
    ("fields", "status", "span"),
    [
        pytest.param({}, 200, (0, SIZE), id="no range"),
        pytest.param({"Range": "bytes=0-0"}, 206, (0, 1), id="the first byte"),
        pytest.param({"Range": "bytes=0-"}, 206, (0, SIZE), id="all, as a part"),
        pytest.param({"Range": f"bytes={MIB - 1}-{MIB}"}, 206, (MIB - 1, MIB + 1), id="over a border"),
        pytest.param({"Range": f"bytes=5-{10**30}"}, 206, (5, SIZE), id="beyond the end"),
        pytest.param({"Range": "bytes=-7"}, 206, (SIZE - 7, SIZE), id="the last"),
        pytest.param({"Range": f"bytes=-{SIZE + 1}"}, 206, (0, SIZE), id="more than all"),
        pytest.param({"Range": "bytes=9-8"}, 200, (0, SIZE), id="backwards"),
        pytest.param({"Range": "bytes=-"}, 200, (0, SIZE), id="neither end"),
        pytest.param({"Range": "bytes=0-1,5-6"}, 200, (0, SIZE), id="several"),
        pytest.param({"Range": "lines=0-1"}, 200, (0, SIZE), id="another unit"),
        pytest.param({"Range": "bytes=3-4", "If-Range": MINE.etag}, 206, (3, 5), id="of this version"),
        pytest.param({"Range": "bytes=3-4", "If-Range": OTHER.etag}, 200, (0, SIZE), id="of another version"),
        pytest.param({"Range": "bytes=3-4", "If-Range": f"W/{MINE.etag}"}, 200, (0, SIZE), id="weak"),
        pytest.param({"Range": "bytes=3-4", "If-Range": DATE}, 206, (3, 5), id="of this date"),
        pytest.param({"Range": "bytes=3-4", "If-Range": EARLIER}, 200, (0, SIZE), id="of another date"),
        pytest.param({"Range": "bytes=3-4", "If-Match": MINE.etag}, 206, (3, 5), id="if it is this version"),
    ],
)
async def test_the_server_sends_the_requested_bytes(fields: dict[str, str], status: int, span: tuple[int, int]) -> None:
    async with Chaos(Faults(size=SIZE)).listening() as url, httpx.AsyncClient(timeout=None) as client:
        response = await client.get(url, headers=fields)
    assert (response.status_code, response.headers["ETag"], response.headers["Last-Modified"]) == (
        status,
        MINE.etag,
        DATE,
    )
    assert response.content == MINE.read(*span)
    content_range = f"bytes {span[0]}-{span[1] - 1}/{SIZE}" if status == 206 else None
    assert response.headers.get("Content-Range") == content_range


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({"Range": f"bytes={SIZE}-"}, 416, id="no such bytes"),
        pytest.param({"Range": "bytes=-0"}, 416, id="none at all"),
        pytest.param({"If-None-Match": f'"x", {MINE.etag}'}, 304, id="the same"),
        pytest.param({"If-Match": OTHER.etag}, 412, id="another"),
    ],
)
async def test_the_server_says_why_it_sends_no_bytes(fields: dict[str, str], status: int) -> None:
    async with Chaos(Faults(size=SIZE)).listening() as url, httpx.AsyncClient(timeout=None) as client:
        response = await client.get(url, headers=fields)
    assert (response.status_code, response.headers.get("Content-Range")) == (
        status,
        f"bytes */{SIZE}" if status == 416 else None,
    )


def test_all_blocks_of_all_versions_differ(tmp_path: Path) -> None:
    size = 64 * MIB
    blocks = [Version(number, size).read(start, start + MIB) for number in (0, 1) for start in range(0, size, MIB)]
    assert len(set(blocks)) == 128


@pytest.mark.parametrize("moved", [0, 1, MIB])
def test_a_moved_byte_is_a_difference(tmp_path: Path, moved: int) -> None:
    path = tmp_path / "file"
    data = MINE.read(0, SIZE)
    path.write_bytes(data[moved:] + data[:moved])
    assert (MINE.difference(path) is None) is (moved == 0)
    assert OTHER.difference(path)


async def test_connections_are_cut_at_reproducible_random_bytes() -> None:
    lengths = []
    for _ in range(2):
        chaos = Chaos(Faults(size=SIZE, seed=3, cut=(1, SIZE)))
        async with chaos.listening() as url, httpx.AsyncClient(timeout=None) as client:
            for _ in range(10):
                with pytest.raises(httpx.TransportError):
                    await client.get(url)
        lengths.append([exchange.sent for exchange in chaos.log])
    assert lengths[0] == lengths[1]
    assert len(set(lengths[0])) == 10


async def test_the_version_changes_after_the_given_number_of_bytes() -> None:
    chaos = Chaos(Faults(size=SIZE, changes=(SIZE, 2 * SIZE)))
    called: list[int] = []
    chaos.at = {SIZE: lambda: called.append(chaos.sent)}
    async with chaos.listening() as url, httpx.AsyncClient(timeout=None) as client:
        responses = [await client.get(url) for _ in range(3)]
    assert [response.headers["ETag"] for response in responses] == ['"0.0"', '"0.1"', '"0.2"']
    assert [response.content == Version(n, SIZE).read(0, SIZE) for n, response in enumerate(responses)] == [True] * 3
    assert called == [SIZE]


async def test_the_server_refuses_and_ignores_ranges_at_the_given_rates() -> None:
    chaos = Chaos(Faults(size=1000, unavailable=0.3, ignored=0.3))
    async with chaos.listening() as url, httpx.AsyncClient(timeout=None) as client:
        responses = [await client.get(url, headers={"Range": "bytes=0-9"}) for _ in range(100)]
    statuses = [response.status_code for response in responses]
    assert all(20 < statuses.count(status) < 60 for status in (200, 206, 503))
    assert {response.headers.get("Retry-After") for response in responses} == {None, "0"}
