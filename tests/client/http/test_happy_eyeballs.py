"""Which address of a name is connected to: the first that answers, and the others are let go."""

import asyncio
import errno
import gc
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from harness.ports import reserved_port

from async_downloads.client.http.happy_eyeballs import alternating, connected

NAME = "several.invalid"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Who answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        yield listener


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Who does not: the kernel lets no more wait there."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.2", 0))
        listener.listen(0)
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        select.select([listener], [], [])  # one has come so far, and that is all that may
        yield listener


@pytest.fixture
def refusing() -> Iterator[int]:
    """A port where nobody listens."""
    with reserved_port() as port:
        yield port


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def _resolve(monkeypatch: pytest.MonkeyPatch, *places: tuple[str, int]) -> None:
    """Have the name mean these addresses."""
    found = [(socket.AF_INET6 if ":" in host else socket.AF_INET, host, port) for host, port in places]

    def answer(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(family, socket.SOCK_STREAM, 6, "", (host, port)) for family, host, port in found]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


async def test_an_address_that_refuses_gives_way_at_once(
    listener: socket.socket, refusing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve(monkeypatch, ("127.0.0.1", refusing), ("127.0.0.1", _port(listener)))
    with closing(await connected(NAME, 1)) as connection:
        assert connection.getpeername() == listener.getsockname()


async def test_an_address_that_is_silent_gives_way_soon(
    listener: socket.socket, silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve(monkeypatch, ("127.0.0.2", _port(silent)), ("127.0.0.1", _port(listener)))
    with closing(await connected(NAME, 1)) as connection:
        assert connection.getpeername() == listener.getsockname()


V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.mark.parametrize(
    ("families", "order"),
    [
        pytest.param([], [], id="none"),
        pytest.param([V6, V6, V6, V4], [0, 3, 1, 2], id="the system prefers IPv6"),
        pytest.param([V4, V4, V6, V6], [0, 2, 1, 3], id="the system prefers IPv4"),
        pytest.param([V4, V6, V4], [0, 1, 2], id="already"),
    ],
)
def test_the_families_take_turns(families: list[int], order: list[int]) -> None:
    found = [(family, socket.SOCK_STREAM, 6, "", number) for number, family in enumerate(families)]
    assert [address[-1] for address in alternating(found)] == order


async def test_when_none_answers_the_last_error_says_why(refusing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _resolve(monkeypatch, ("127.0.0.1", refusing), ("127.0.0.1", refusing))
    with pytest.raises(ConnectionRefusedError) as caught:
        await connected(NAME, 1)
    assert caught.value.errno == errno.ECONNREFUSED


async def test_a_local_address_is_connected_from(listener: socket.socket) -> None:
    with closing(await connected("127.0.0.1", _port(listener), local="127.0.0.3")) as connection:
        assert connection.getsockname()[0] == "127.0.0.3"


async def test_cancelled_at_any_turn_it_leaves_nothing_open(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve(monkeypatch, *[("127.0.0.1", _port(listener))] * 2)
    for turns in [*range(12)] * 5:
        connecting = asyncio.create_task(connected(NAME, 1))
        for _ in range(turns):
            await asyncio.sleep(0)
        if connecting.cancel():
            with pytest.raises(asyncio.CancelledError):
                await connecting
        else:
            connecting.result().close()
    gc.collect()  # a socket that is open still warns, and a warning is an error
