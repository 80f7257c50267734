"""send_response(), driven by hand: in every case the sending ends and nothing is left open."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from harness.asgi import App, Exchange, Message, ask, scope
from harness.clock import Clock
from harness.process import descriptors, other_tasks
from harness.sources import CHUNK_SIZES, OneStore, SlicedSource
from harness.waiting import eventually

from async_downloads.asgi import Downloads
from async_downloads.errors import (
    SendStalled,
    SourceBusy,
    SourceChanged,
    SourceError,
    SourceTruncated,
)
from async_downloads.responder import respond
from async_downloads.semantics.plan import Policy
from async_downloads.semantics.representation import Representation, RequestHead
from async_downloads.sending import Receive, Send, send_response
from async_downloads.server.drain import DrainGate
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.memory import MemorySource
from async_downloads.sources.streams import source_of

DATA = bytes(range(256)) * 8
WHILE = 60  # seconds for which a path stays valid

pytestmark = pytest.mark.usefixtures("clock")


@pytest.mark.parametrize("chunk", CHUNK_SIZES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_response_is_complete_in_chunks_of_any_size(chunk: int, method: str) -> None:
    source = SlicedSource(DATA, chunk=chunk)
    response = await ask(Downloads(OneStore(source)), "/a", method=method)
    assert response.complete
    assert response.body == (DATA if method == "GET" else b"")
    assert response.fields["content-length"] == str(len(DATA))
    assert source.closed
    await eventually(lambda: not other_tasks())


async def test_a_stream_of_unknown_size_has_no_content_length() -> None:
    source = SlicedSource(DATA, representation=Representation(None, ranges=False))
    response = await ask(Downloads(OneStore(source)), "/a", fields=[("Range", "bytes=0-1")])
    assert (response.status, response.body, response.complete) == (200, DATA, True)
    assert "content-length" not in response.fields
    assert response.fields["accept-ranges"] == "none"


@pytest.mark.parametrize("messages", [1, 2, 3])
async def test_a_client_that_left_ends_a_sending_that_never_waits(
    large: Path, messages: int, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = Exchange(scope("/large.bin"))
    exchange.at[messages] = exchange.left.set
    await Downloads(DirectoryStore(large.parent))(exchange.scope, exchange.receive, exchange.send)
    assert len(exchange.sent) <= messages + 4, "what is sent after the client has left stays in memory"
    assert not exchange.complete
    assert not descriptors(large)
    await eventually(lambda: not other_tasks())
    assert not caplog.messages, "a client that leaves is no event"


async def test_a_cancelled_sending_leaves_nothing(large: Path) -> None:
    exchange = Exchange(scope("/large.bin"))
    app = Downloads(DirectoryStore(large.parent))
    serving = asyncio.create_task(app(exchange.scope, exchange.receive, exchange.send))
    exchange.at[3] = serving.cancel
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert not descriptors(large)
    await eventually(lambda: not other_tasks())


async def _stalled(app: App) -> Exchange:
    """Send to a client that takes the head, and nothing more."""
    exchange, never = Exchange(scope("/large.bin")), asyncio.Event()

    async def send(message: Message) -> None:
        await exchange.send(message)
        if message["type"] == "http.response.body":
            await never.wait()

    with pytest.raises(SendStalled):
        await app(exchange.scope, exchange.receive, send)
    return exchange


@pytest.mark.parametrize("size", [100, 1_000_000], ids=["whole at once", "in chunks"])
async def test_the_response_to_a_client_that_takes_nothing_ends(
    tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(size))
    app = DrainGate(Downloads(DirectoryStore(tmp_path), stall_timeout=0.05))
    exchange = await _stalled(app)
    assert exchange.status == 200
    assert not descriptors(tmp_path / "large.bin")
    assert caplog.messages == ["GET '/large.bin': the response is incomplete: the client read nothing for 0.05 s"]
    await eventually(lambda: not other_tasks())


@pytest.mark.parametrize("error", [SourceChanged("changed"), SourceTruncated("truncated"), SourceError("disk")])
async def test_a_source_that_fails_ends_the_response_short_and_is_logged_once(
    error: SourceError, caplog: pytest.LogCaptureFixture
) -> None:
    source = SlicedSource(DATA, until=100, error=error)
    response = Exchange(scope("/a"))
    with pytest.raises(type(error)):
        await DrainGate(Downloads(OneStore(source)))(response.scope, response.receive, response.send)
    assert not response.complete
    assert DATA[:100].startswith(response.body)
    assert source.closed
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize(
    "error", [SourceChanged("changed"), SourceTruncated("truncated"), TimeoutError(), ConnectionResetError(), OSError()]
)
async def test_a_body_that_cannot_be_sent_whole_raises(error: Exception) -> None:
    source = SlicedSource(DATA, until=100, error=error)
    with pytest.raises(type(error)):
        await ask(Downloads(OneStore(source)), "/a")
    assert source.closed


async def test_a_middleware_does_not_take_a_short_body_for_the_whole() -> None:
    ended = False

    async def compressing(scope: Message, receive: Receive, send: Send) -> None:
        """Send the body on as a middleware that reads the app's messages from a queue."""
        nonlocal ended
        await Downloads(OneStore(SlicedSource(DATA, until=100, error=SourceTruncated("truncated"))))(
            scope, receive, send
        )
        ended = True

    with pytest.raises(SourceTruncated):
        await ask(compressing, "/a")
    assert not ended


async def test_without_receive_a_reply_is_sent_all_the_same() -> None:
    response = await respond(RequestHead("GET", 0), SlicedSource(DATA), Policy())
    exchange = Exchange(scope("/a"))
    await send_response(response, exchange.scope, None, exchange.send)
    assert exchange.body == DATA


async def test_a_source_that_takes_its_time_is_not_taken_for_a_client_that_does() -> None:
    async def slowly() -> AsyncIterator[bytes]:
        for part in (b"late", b"later"):
            waited = asyncio.Event()
            asyncio.get_running_loop().call_later(0.2, waited.set)
            await waited.wait()
            yield part

    response = await respond(RequestHead("GET", 0), source_of(slowly()), Policy(), stall_timeout=0.05)
    exchange = Exchange(scope("/a"))
    await send_response(response, exchange.scope, None, exchange.send)
    assert exchange.body == b"latelater"


async def test_no_line_of_the_log_can_be_forged(caplog: pytest.LogCaptureFixture) -> None:
    app = Downloads(OneStore(SourceBusy("no more")))
    await ask(app, "/a\nGET '/b': 500: forged")
    assert [len(message.splitlines()) for message in caplog.messages] == [1]


@pytest.mark.parametrize(("fields", "sent"), [([], "path"), ([("Range", "bytes=5-")], "body")])
async def test_a_whole_file_goes_by_path_where_the_server_takes_it(
    large: Path, content: bytes, fields: list[tuple[str, str]], sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("async_downloads.sending._PathLeases._SECONDS", 0)
    kinds, read = [], []

    async def send(message: Message) -> None:
        kinds.append(message["type"])
        if message["type"] == "http.response.pathsend":
            read.append(Path(message["path"]).read_bytes())

    exchange = Exchange(scope("/large.bin", fields=fields, extensions={"http.response.pathsend": {}}))
    await Downloads(DirectoryStore(large.parent))(exchange.scope, exchange.receive, send)
    assert set(kinds[1:]) == {f"http.response.{'pathsend' if sent == 'path' else 'body'}"}
    assert read == ([content] if sent == "path" else [])
    await eventually(lambda: not descriptors(large))


async def test_the_path_stays_valid_for_seconds_after_the_response(
    large: Path, content: bytes, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("async_downloads.sending._PathLeases._SECONDS", WHILE)
    exchange = Exchange(scope("/large.bin", extensions={"http.response.pathsend": {}}))
    await Downloads(DirectoryStore(large.parent))(exchange.scope, exchange.receive, exchange.send)
    large.unlink()
    assert Path(exchange.sent[1]["path"]).read_bytes() == content
    clock.forward(WHILE)
    await eventually(lambda: not descriptors(large))


async def test_the_number_of_files_sent_by_path_is_limited(
    large: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("async_downloads.sending._PathLeases._SECONDS", WHILE)
    monkeypatch.setattr("async_downloads.sending._PathLeases._MOST", 2)
    app, kinds = Downloads(DirectoryStore(large.parent)), []
    for _ in range(3):
        exchange = Exchange(scope("/large.bin", extensions={"http.response.pathsend": {}}))
        await app(exchange.scope, exchange.receive, exchange.send)
        kinds.append(exchange.sent[1]["type"])
    assert kinds == ["http.response.pathsend", "http.response.pathsend", "http.response.body"]
    clock.forward(WHILE)
    await eventually(lambda: not descriptors(large))


async def test_bytes_in_memory_go_as_bytes_even_where_the_server_takes_paths() -> None:
    large = bytes(1_000_000)
    app = Downloads(OneStore(MemorySource(large, Representation(len(large)))))
    response = await ask(app, "/a", extensions={"http.response.pathsend": {}})
    assert response.body == large
