"""ObjectStore keeps the contract of all stores over a second real S3 server.

Swift takes long for a request. So the objects of the contract are small ones, and a larger one is read in few chunks.
"""

import time

import httpx
from harness.waiting import HANGING

from async_downloads.sources.object_storage import ObjectStore, S3Signer
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


async def test_a_folder_is_listed_without_the_keys_that_xml_cannot_have(swift_url: str) -> None:
    signer = S3Signer.from_environment(swift_url)
    assert signer
    for key in ("a\x01", "b"):
        assert (
            httpx.put(signer.sign("PUT", key, now=time.time(), seconds=60), content=b"x", timeout=HANGING).status_code
            == 200
        )
    listing = await ObjectStore.from_url(swift_url).list("")
    assert [entry.name for entry in listing.entries] == ["b"]
