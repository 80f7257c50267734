"""SocketReadiness: sockets that have room are served in order, for a limited time in each turn of the loop."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from itertools import pairwise

import pytest
from harness.waiting import eventually

from async_downloads.server.http1.readiness import SocketReadiness


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Pairs of connected sockets, which do not block."""
    with ExitStack() as stack:
        made = [socket.socketpair() for _ in range(6)]
        for pair in made:
            for end in pair:
                stack.enter_context(end).setblocking(False)
        yield made


@pytest.fixture
async def readiness() -> SocketReadiness:
    """The readiness of sockets in this loop; the loop's end closes it."""
    return SocketReadiness(asyncio.get_running_loop())


def fill(end: socket.socket) -> None:
    """Write until the socket has no room."""
    with suppress(BlockingIOError):
        while True:
            end.send(bytes(64 * 1024))


@pytest.mark.parametrize(("seconds", "a_turn"), [(0.0, 1), (60.0, 6)])
async def test_sockets_have_turns_in_order_and_a_turn_is_short(
    pairs: list[tuple[socket.socket, socket.socket]],
    readiness: SocketReadiness,
    seconds: float,
    a_turn: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SocketReadiness, "_TURN_SECONDS", seconds)
    calls, counts = list[int](), list[int]()

    def serve(fd: int, _: float) -> None:
        calls.append(fd)

    for mine, _ in pairs:
        readiness.watch(mine.fileno(), partial(serve, mine.fileno()))
    while len(calls) < 60:
        counts.append(len(calls))
        await asyncio.sleep(0)
    for mine, _ in pairs:
        readiness.forget(mine.fileno())
    assert max(after - before for before, after in pairwise(counts)) <= a_turn
    order = [mine.fileno() for mine, _ in pairs]
    assert [sorted(calls[at : at + 6]) for at in range(0, 60, 6)] == [sorted(order)] * 10
    readiness.close()


async def test_a_callback_gets_the_time_when_its_socket_got_room(
    pairs: list[tuple[socket.socket, socket.socket]], readiness: SocketReadiness
) -> None:
    (mine, other), times = pairs[0], list[float]()
    fill(mine)
    readiness.watch(mine.fileno(), times.append)
    await asyncio.sleep(0)
    assert not times
    before = time.monotonic()
    with suppress(BlockingIOError):
        while True:
            other.recv(1024 * 1024)
    await eventually(lambda: times)
    assert before <= times[0] <= time.monotonic()
    readiness.forget(mine.fileno())
    readiness.close()


async def test_a_socket_that_is_forgotten_in_its_turn_is_not_served(
    pairs: list[tuple[socket.socket, socket.socket]], readiness: SocketReadiness
) -> None:
    calls = list[int]()

    def serve(fd: int, ready_at: float) -> None:
        calls.append(fd)
        for mine, _ in pairs:
            readiness.forget(mine.fileno())

    for mine, _ in pairs:
        readiness.watch(mine.fileno(), partial(serve, mine.fileno()))
    await eventually(lambda: calls)
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(calls) == 1
    readiness.close()
