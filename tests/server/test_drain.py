"""The gate of a serving process: it passes requests on, says whether it is ready, and ends the draining."""

import asyncio
from pathlib import Path

import pytest
from conftest import Serve
from harness.asgi import Exchange, Message, ask, scope
from harness.waiting import HANGING, eventually
from served_site.site import app_of

from async_downloads.asgi import Downloads
from async_downloads.config import Settings
from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.drain import DrainGate
from async_downloads.sources.directory import DirectoryStore


class _Room:
    """An app that holds each request until `let_go` is set."""

    def __init__(self) -> None:
        self.inside = 0
        self.let_go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside += 1
        await self.let_go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def test_while_serving_it_is_healthy_and_passes_requests_on() -> None:
    room = _Room()
    room.let_go.set()
    gate = DrainGate(room)
    healthy = await ask(gate, "/-/healthy")
    assert (healthy.status, healthy.body, healthy.fields["content-type"]) == (200, b"ok\n", "text/plain; charset=utf-8")
    assert healthy.fields["cache-control"] == "no-store"
    assert [(await ask(gate, path)).status for path in ("/x", "/-/ready")] == [200, 200]
    assert room.inside == 2


async def test_a_request_for_a_whole_url_counts_as_one_for_its_path() -> None:
    assert (await ask(DrainGate(_Room()), "http://localhost:8000/-/healthy")).body == b"ok\n"


@pytest.mark.parametrize("version", ["1.0", "1.1", "2"])
@pytest.mark.parametrize("end", ["retire", "drain"])
async def test_once_it_retires_it_is_not_ready_but_healthy_and_passes_requests_on(end: str, version: str) -> None:
    room = _Room()
    room.let_go.set()
    gate = DrainGate(room)
    getattr(gate, end)()
    ready = await ask(gate, "/-/ready", http_version=version)
    assert (ready.status, ready.body, room.inside) == (503, b"503 Service Unavailable\n", 0)
    assert (ready.fields["retry-after"], ready.fields["cache-control"]) == ("5", "no-store")
    assert [(await ask(gate, path, http_version=version)).status for path in ("/-/healthy", "/x")] == [200, 200]


async def test_it_has_drained_when_the_last_request_has_ended() -> None:
    room = _Room()
    gate = DrainGate(room)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(ask(gate, "/x"))
        drained = tasks.create_task(gate.drained())
        await eventually(lambda: room.inside == 2)
        gate.drain()
        assert (await ask(gate, "/-/healthy")).status == 200
        assert not drained.done()
        room.let_go.set()
    assert drained.done()


async def test_a_request_that_fails_has_ended_as_well() -> None:
    async def failing(scope: Message, receive: object, send: object) -> None:
        raise RuntimeError("as apps do")

    gate = DrainGate(failing)
    exchange = Exchange(scope("/x"))
    with pytest.raises(RuntimeError):
        await gate(exchange.scope, exchange.receive, exchange.send)
    gate.drain()
    async with asyncio.timeout(HANGING):
        await gate.drained()


async def test_lifespan_messages_pass() -> None:
    said: list[str] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        said.append(message["type"])

    async with asyncio.timeout(HANGING):
        await DrainGate(Downloads(DirectoryStore(".")))({"type": "lifespan"}, receive, send)
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("OPTIONS", 204), ("POST", 405), ("DELETE", 405), ("PROPFIND", 405)]
)
async def test_the_health_path_allows_the_methods_of_a_file(method: str, status: int) -> None:
    response = await ask(DrainGate(_Room()), "/-/healthy", method=method)
    assert response.status == status
    assert response.fields.get("allow") == (None if status == 200 else "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    "target", ["/-/healthy", "/file.txt", "/", "/none", "/get-csv/file", "/get-csv/none", "/pdf/response"]
)
async def test_the_connection_of_a_request_with_two_lengths_is_closed(
    serve: Serve, tmp_path: Path, target: str
) -> None:
    for name in ("file.txt", "file.csv"):
        (tmp_path / name).write_text("text")
    settings = Settings(directory=tmp_path, client_csv=tmp_path, pdf_examples=True)
    server = await serve(DrainGate(app_of(settings)))
    smuggled = "GET /file.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with server.connected() as connection:
        await connection.ask(target, f"Content-Length: {5 + len(smuggled)}", "Transfer-Encoding: chunked")
        connection.writer.write(f"0\r\n\r\n{smuggled}".encode())
        _, fields, _ = await connection.read_response()
        assert fields.get_all("Connection") == ["close"]
        async with asyncio.timeout(HANGING / 2):
            assert await connection.reader.read() == b""


async def test_a_request_with_one_length_keeps_its_connection(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("text")
    server = await serve(DrainGate(app_of(Settings(directory=tmp_path))))
    async with server.connected() as connection:
        for _ in range(2):
            await connection.ask("/file.txt", "Content-Length: 0")
            assert (await connection.read_response())[1]["Connection"] is None


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
async def test_an_app_that_calls_sys_exit_fails_only_its_request(error: BaseException) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    gate = DrainGate(app)
    with pytest.raises(RuntimeError, match="the app raised"):
        await ask(gate, "/x")
    assert gate.running == 0
