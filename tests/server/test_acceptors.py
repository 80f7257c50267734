"""Accepting connections: how many in one turn of the event loop."""

import asyncio
import socket
from contextlib import ExitStack

from harness.waiting import eventually

from async_downloads.server.acceptors import Acceptors

CONNECTIONS = 100


class _Turns:
    """Counts the turns of the running loop."""

    def __init__(self) -> None:
        self.number = 0
        self._loop = asyncio.get_running_loop()
        self._begin()

    def _begin(self) -> None:
        self.number += 1
        self._next = self._loop.call_soon(self._begin)

    def stop(self) -> None:
        self._next.cancel()


async def test_a_burst_of_connections_is_accepted_in_several_turns() -> None:
    turns, made = _Turns(), list[int]()

    def make_protocol() -> asyncio.Protocol:
        made.append(turns.number)
        return asyncio.Protocol()

    acceptors = Acceptors(make_protocol)
    with ExitStack() as clients:
        listener = socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS)
        listener.setblocking(False)
        for _ in range(CONNECTIONS):  # the kernel completes them, and none is accepted yet
            clients.enter_context(socket.create_connection(listener.getsockname()))
        await acceptors.add(listener)
        await eventually(lambda: len(made) == CONNECTIONS)
        turns.stop()
    await acceptors.close()
    assert max(made.count(turn) for turn in set(made)) <= 16
