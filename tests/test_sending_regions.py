"""send_response() with regions of files that the server sends itself, driven by hand."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import pytest
from harness.asgi import Exchange, Message, ask, scope
from harness.process import descriptors, other_tasks
from harness.sources import OneStore, SlicedSource
from harness.waiting import eventually

from async_downloads.asgi import Downloads
from async_downloads.responder import respond
from async_downloads.semantics.plan import Policy
from async_downloads.semantics.representation import Representation, RequestHead
from async_downloads.sending import ZERO_COPY_SEND, send_response
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.memory import MemorySource

DATA = bytes(range(256)) * 8
EXTENSIONS: Final[dict[str, object]] = {ZERO_COPY_SEND: {"acknowledged": int, "room": lambda: 1024}}


class _Exchange(Exchange):
    """A request to a server that takes regions of files."""

    async def send(self, message: Message) -> None:
        """Note a message of the app, and accept its offer."""
        await super().send(message)
        offer = message.get(ZERO_COPY_SEND)
        if offer and message["type"] == "http.response.start":
            offer.accept(message["headers"])
        elif offer:
            offer.arrived()


async def test_a_server_with_the_extension_gets_regions_of_the_file(large: Path, content: bytes) -> None:
    large.read_bytes()
    exchange, sent = _Exchange(scope("/large.bin", fields=[("Range", "bytes=7-")], extensions=EXTENSIONS)), []

    async def send(message: Message) -> None:
        await exchange.send(message)
        if message["type"] == ZERO_COPY_SEND:
            sent.append(os.pread(message["file"].fd, message["count"], message["offset"]))
        elif message["type"] == "http.response.body":
            sent.append(message["body"])

    await Downloads(DirectoryStore(large.parent))(exchange.scope, exchange.receive, send)
    assert b"".join(sent) == content[7:]
    bodies = [message["type"] for message in exchange.sent].count("http.response.body")
    assert bodies == 3, "the first bytes, the last bytes and the end"
    assert exchange.complete
    assert not descriptors(large)


async def test_the_first_bytes_are_freed_when_they_are_sent(large: Path) -> None:
    """A slow client would otherwise cost them for as long as its download takes."""
    large.read_bytes()
    exchange, first, references = _Exchange(scope("/large.bin", extensions=EXTENSIONS)), list[bytes](), list[int]()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body" and not first:
            first.append(message["body"])
        elif message["type"] == ZERO_COPY_SEND:
            references.append(sys.getrefcount(first[0]))
        if message["type"] != "http.response.body":  # the exchange keeps each message
            await exchange.send(message)

    await Downloads(DirectoryStore(large.parent))(exchange.scope, exchange.receive, send)
    assert len(first[0]) == 16 * 1024
    assert references[0] <= 2, "the list of this test, and the argument of getrefcount"


async def test_a_source_without_a_file_is_sent_as_bytes() -> None:
    response = await ask(Downloads(OneStore(SlicedSource(DATA))), "/a", extensions=EXTENSIONS)
    assert response.body == DATA


@pytest.mark.parametrize("size", [1024, 1025, len(DATA)])
async def test_a_small_file_is_sent_as_bytes(tmp_path: Path, size: int) -> None:
    (tmp_path / "small.bin").write_bytes(DATA[:size])
    response = await ask(Downloads(DirectoryStore(tmp_path)), "/small.bin", extensions=EXTENSIONS)
    assert response.chunks == [DATA[:size]]


@pytest.mark.parametrize(("size", "status", "has_timer"), [(1024, 200, False), (1025, 200, True), (1024, 404, True)])
async def test_a_response_for_which_there_is_room_needs_no_timer(size: int, status: int, has_timer: bool) -> None:
    source = MemorySource(bytes(size), Representation(size))
    response = await respond(RequestHead("GET", 0), source, Policy())
    loop, timers = asyncio.get_running_loop(), []

    async def send(message: Message) -> None:
        timers.append(len(loop._scheduled))  # type: ignore[attr-defined] # asyncio has no public list of its timers

    before = len(loop._scheduled)  # type: ignore[attr-defined]
    await send_response(response._replace(status=status), scope("/", extensions=EXTENSIONS), None, send)
    assert [count - before for count in timers] == [int(has_timer)] * 2


@pytest.mark.parametrize("messages", [2, 3])
async def test_regions_end_when_the_client_leaves(large: Path, messages: int) -> None:
    exchange = _Exchange(scope("/large.bin", extensions=EXTENSIONS))
    exchange.at[messages] = exchange.left.set
    await Downloads(DirectoryStore(large.parent))(exchange.scope, exchange.receive, exchange.send)
    assert len(exchange.sent) <= messages + 4
    assert not exchange.complete
    assert not descriptors(large)
    await eventually(lambda: not other_tasks())


async def test_a_client_that_leaves_ends_the_first_region(large: Path) -> None:
    exchange, never = _Exchange(scope("/large.bin", extensions=EXTENSIONS)), asyncio.Event()

    async def send(message: Message) -> None:
        await exchange.send(message)
        if len(exchange.sent) == 2:
            exchange.left.set()
            await never.wait()

    await Downloads(DirectoryStore(large.parent))(exchange.scope, exchange.receive, send)
    assert len(exchange.sent) == 2
    assert not descriptors(large)
    await eventually(lambda: not other_tasks())


async def test_a_short_download_is_watched_by_no_task(tmp_path: Path) -> None:
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        raise AssertionError

    source = SlicedSource(DATA, chunk=len(DATA))
    response = await respond(RequestHead("GET", 0), source, Policy())
    exchange = Exchange(scope("/a"))
    await send_response(response, exchange.scope, receive, exchange.send)
    assert (exchange.body, asked) == (DATA, 0)


async def test_a_task_cancelled_when_the_client_leaves_is_cancelled(large: Path) -> None:
    exchange, never = _Exchange(scope("/large.bin", extensions=EXTENSIONS)), asyncio.Event()

    async def receive() -> Message:
        serving.cancel()  # at the same time
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await exchange.send(message)
        if len(exchange.sent) == 2:
            await never.wait()

    serving = asyncio.ensure_future(Downloads(DirectoryStore(large.parent))(exchange.scope, receive, send))
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert not descriptors(large)
