"""Accepting connections: how many in one turn of the event loop, and those that wait at the end."""

import asyncio
import socket
from contextlib import ExitStack

import pytest
from harness.waiting import HANGING, eventually

from async_downloads.server.acceptors import Acceptors, accepting
from async_downloads.server.http1.server import ConnectionLimits, Http1Server
from async_downloads.server.proxies.trusted import TrustedProxies
from server.http1.conftest import hello

CONNECTIONS = 100
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


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


async def _responses_at_the_end(request: bytes, turns: int, *, clients: int, proxy_protocol: bool) -> list[bytes]:
    """Let clients connect and send a request, close the server after so many turns, and return what the clients get."""
    http1 = Http1Server(hello, ConnectionLimits(trusted_proxies=TrustedProxies(["127.0.0.1"])))
    listener = socket.create_server(("127.0.0.1", 0), backlog=clients)
    listener.setblocking(False)
    async with accepting(http1, [listener], None, proxy_protocol=proxy_protocol) as acceptors:
        with ExitStack() as stack:
            opened = [
                stack.enter_context(socket.create_connection(listener.getsockname(), timeout=HANGING))
                for _ in range(clients)
            ]
            for client in opened:
                client.sendall(request)
            for _ in range(turns):
                await asyncio.sleep(0)
            await acceptors.close()
            http1.drain()
            await http1.close()
            received = [client.recv(65536) for client in opened]
    await http1.abort()
    return [each[:13] for each in received]


async def test_a_request_that_waits_behind_a_proxy_header_at_the_end_is_served() -> None:
    header = b"PROXY TCP4 192.0.2.1 192.0.2.2 5 80\r\n"
    assert await _responses_at_the_end(header + REQUEST, 0, clients=1, proxy_protocol=True) == [b"HTTP/1.1 200 "]


@pytest.mark.parametrize("turns", range(5))
async def test_connections_that_are_accepted_just_before_the_end_are_served(turns: int) -> None:
    assert await _responses_at_the_end(REQUEST, turns, clients=40, proxy_protocol=False) == [b"HTTP/1.1 200 "] * 40
