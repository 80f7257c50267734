"""The bound on the requests to an object store."""

import obstore
import pytest
from obstore.store import MemoryStore

from async_downloads.errors import SourceBusy
from async_downloads.sources.object_storage.upstream import Upstream


async def test_a_listing_that_gets_no_connection_is_never_begun() -> None:
    """Python would warn of a coroutine that nothing awaits."""
    store = MemoryStore()
    await obstore.put_async(store, "a", b"data")
    upstream = Upstream(store, connections=1, patience=0.01)
    async with upstream.stream("a"):
        with pytest.raises(SourceBusy):
            await upstream.list("")
        with pytest.raises(SourceBusy):
            await upstream.has_below("")
    assert await upstream.has_below("")
