"""A download from a bucket with versions ends with the version that it began with."""

import time
from random import Random

import httpx
import obstore
import pytest
from harness.seaweedfs import SeaweedFS
from harness.waiting import HANGING

from async_downloads.sources.object_storage import ObjectStore, S3Signer
from sources.contract import read_while

_OLD, _NEW = (Random(number).randbytes(3 * 1024 * 1024) for number in (1, 2))
_VERSIONING = (
    b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status>'
    b"</VersioningConfiguration>"
)


@pytest.fixture
def versioned_url(s3_server: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a bucket that keeps all versions."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    url = "s3://versioned"
    signer = S3Signer.from_environment(url)
    assert signer
    assert httpx.put(signer.sign("PUT", "", now=time.time(), seconds=60), timeout=HANGING).status_code in {200, 409}
    versioning = signer.sign("PUT", "", now=time.time(), seconds=60, parameters={"versioning": ""})
    assert httpx.put(versioning, content=_VERSIONING, timeout=HANGING).status_code == 200
    return url


async def test_an_object_that_is_replaced_or_deleted_is_read_to_its_end(versioned_url: str) -> None:
    store = ObjectStore.from_url(versioned_url)
    upstream = store._upstream._store

    async def replace() -> None:
        await obstore.put_async(upstream, "a", _NEW)

    async def delete() -> None:
        await obstore.delete_async(upstream, "a")

    await obstore.put_async(upstream, "a", _OLD)
    assert await read_while(await store.open("a"), replace) == (_OLD, True)
    assert await read_while(await store.open("a"), delete) == (_NEW, True)
