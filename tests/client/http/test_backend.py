"""Connecting to the addresses of a name (Happy Eyeballs, RFC 8305), and the connections that httpcore uses."""

import asyncio
import gc
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpcore
import pytest
from harness.ports import reserved_port
from harness.scripted import Connection, scripted
from harness.waiting import eventually

from async_downloads.client.http.backend import AsyncioBackend
from client.http.test_transport import MIB

NAME = "several.invalid"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that accepts."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        yield listener


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that never accepts: its queue in the kernel is full."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.2", 0))
        listener.listen(0)
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        select.select([listener], [], [])  # one connection is in the queue, which holds no more
        yield listener


@pytest.fixture
def refusing() -> Iterator[int]:
    """A port that refuses connections."""
    with reserved_port() as port:
        yield port


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def _resolve(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Let every name resolve to these addresses."""
    found = [(socket.AF_INET6 if ":" in host else socket.AF_INET, host, port) for host, port in addresses]

    def resolved(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(family, socket.SOCK_STREAM, 6, "", (host, port)) for family, host, port in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


async def _connected_to(port: int = 1, host: str = NAME, **options: str) -> tuple[str, int]:
    """Connect, close, and return the address of the server."""
    stream = await AsyncioBackend().connect_tcp(host, port, **options)  # type: ignore[arg-type]
    address: tuple[str, int] = stream.get_extra_info("server_addr")
    await stream.aclose()
    return address


async def test_after_an_address_that_refuses_the_next_one_is_tried_at_once(
    listener: socket.socket, refusing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve(monkeypatch, ("127.0.0.1", refusing), ("127.0.0.1", _port(listener)))
    assert await _connected_to() == listener.getsockname()


async def test_while_an_address_is_silent_the_next_one_is_tried(
    listener: socket.socket, silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve(monkeypatch, ("127.0.0.2", _port(silent)), ("127.0.0.1", _port(listener)))
    assert await _connected_to() == listener.getsockname()


async def test_the_second_attempt_is_to_the_other_family(
    silent: socket.socket, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        slow = ("127.0.0.2", _port(silent))
        _resolve(monkeypatch, slow, ("127.0.0.1", _port(listener)), ("::1", _port(other)))
        assert (await _connected_to())[:2] == other.getsockname()[:2]


async def test_a_name_whose_addresses_all_refuse_is_a_connect_error(
    refusing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve(monkeypatch, ("127.0.0.1", refusing), ("127.0.0.4", refusing))
    with pytest.raises(httpcore.ConnectError) as caught:
        await _connected_to()
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


async def test_a_connection_can_be_bound_to_a_local_address(listener: socket.socket) -> None:
    stream = await AsyncioBackend().connect_tcp("127.0.0.1", _port(listener), local_address="127.0.0.3")
    assert stream.get_extra_info("client_addr")[0] == "127.0.0.3"
    await stream.aclose()


async def test_connecting_leaves_no_socket_open_at_whichever_step_it_is_cancelled(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve(monkeypatch, *[("127.0.0.1", _port(listener))] * 2)
    for turns in [*range(16)] * 5:
        connecting = asyncio.create_task(AsyncioBackend().connect_tcp(NAME, 1))
        for _ in range(turns):
            await asyncio.sleep(0)
        if connecting.cancel():
            with pytest.raises(asyncio.CancelledError):
                await connecting
        else:
            await connecting.result().aclose()
    gc.collect()  # an open socket causes a ResourceWarning here, and warnings are errors


async def test_closing_a_connection_ends_a_waiting_read() -> None:
    async with scripted(Connection.left) as server:
        stream = await AsyncioBackend().connect_tcp("127.0.0.1", server.port)
        reading = asyncio.create_task(stream.read(1))
        await eventually(lambda: server.connections)
        await stream.aclose()
        with pytest.raises(httpcore.ReadError):
            await reading
        assert stream.get_extra_info("is_readable")
        await stream.aclose()


async def test_a_connection_has_the_details_that_httpcore_asks_for() -> None:
    async with scripted(Connection.left) as server:
        stream = await AsyncioBackend().connect_tcp("127.0.0.1", server.port)
        client = stream.get_extra_info("socket")
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", server.port)
        assert stream.get_extra_info("client_addr") == client.getsockname()
        assert stream.get_extra_info("ssl_object") is None
        assert stream.get_extra_info("something else") is None
        assert not stream.get_extra_info("is_readable")
        await stream.aclose()


async def test_a_cancelled_write_closes_the_connection() -> None:
    async def deaf(_: Connection) -> None:
        await asyncio.Event().wait()

    async with scripted(deaf) as server:
        stream = await AsyncioBackend().connect_tcp("127.0.0.1", server.port)
        sending = asyncio.create_task(stream.write(bytes(64 * MIB)))
        await asyncio.sleep(0)  # it fills the buffers and then waits
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        with pytest.raises(httpcore.WriteError):
            await stream.write(b"the second half of another request")
