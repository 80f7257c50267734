"""ObjectStore keeps the contract of all stores over a second real S3 server.

Swift takes long for a request. So the objects of the contract are small ones, and a larger one is read in few chunks.
"""

from async_downloads.sources.object_storage.connecting import store_at
from async_downloads.testing import check_changes, check_store
from sources.contract import LARGE, read_whole
from sources.object_storage.bench import filled

_CONTENTS = {"docs/ü b.bin": LARGE[:60_000], "empty": b""}


async def test_swift_keeps_the_contract(swift_url: str) -> None:
    bench = await filled(store_at(swift_url), _CONTENTS)
    await check_store(bench.store, _CONTENTS)
    await bench.put("large", LARGE[:300_000])
    assert await read_whole(bench.store, "large") == LARGE[:300_000]
    await check_changes(bench.store, "large", bench.put, bench.remove)
