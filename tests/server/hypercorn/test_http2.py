"""HTTP/2: the server stops reading for a client that takes nothing, and drops it as stalled."""

import asyncio
from collections.abc import AsyncGenerator

import h2.connection
import h2.events
import hypercorn.protocol.h2
import pytest
from conftest import Serve
from harness.sources import OneStore
from harness.waiting import eventually
from hypercorn.asyncio.worker_context import EventWrapper

from async_downloads.asgi import Downloads
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation
from async_downloads.server.hypercorn.http2 import BoundedStreamBuffer

SIZE = 16 * 1024 * 1024
CHUNK = 64 * 1024
INITIAL_WINDOW = 65_535  # RFC 9113 §6.5.2


class Counting:
    """A large source that counts the bytes read."""

    representation = Representation(SIZE)
    taken = 0
    closed = False

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield zeros."""
        while self.taken < len(span):
            self.taken += CHUNK
            yield bytes(CHUNK)

    async def aclose(self) -> None:
        """Record the call."""
        self.closed = True


@pytest.mark.usefixtures("_fast")
async def test_a_client_that_never_opens_its_window_causes_few_reads_and_is_dropped(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    source = Counting()
    server = await serve(Downloads(OneStore(source), stall_timeout=0.5))
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    client = h2.connection.H2Connection()
    client.initiate_connection()
    fields = [(":method", "GET"), (":path", "/a"), (":scheme", "http"), (":authority", "localhost")]
    client.send_headers(1, fields, end_stream=True)
    writer.write(client.data_to_send())
    await eventually(lambda: "closed short: the client took nothing for 0.5 s" in caplog.text)
    assert source.closed
    assert source.taken <= INITIAL_WINDOW + BoundedStreamBuffer.HIGH_WATER_BYTES + 2 * CHUNK
    writer.close()
    await writer.wait_closed()


async def test_a_writer_waits_until_the_buffer_has_room() -> None:
    buffer = BoundedStreamBuffer(EventWrapper)
    pushing = asyncio.create_task(buffer.push(bytes(100_000)))
    taken = 0
    while not pushing.done():
        assert taken < 100_000
        taken += len(await buffer.pop(1_000))
        await asyncio.sleep(0)
    assert 100_000 - taken < BoundedStreamBuffer.LOW_WATER_BYTES
    await buffer.close()
    with pytest.raises(hypercorn.protocol.h2.BufferCompleteError):
        await buffer.push(b"more")
