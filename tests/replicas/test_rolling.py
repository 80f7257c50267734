"""A rolling restart of both servers under load: no request is lost, through nginx and through HAProxy."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from email.message import Message
from http.client import parse_headers
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from harness.waiting import eventually

from replicas.conftest import Site
from replicas.fronts import fronts
from replicas.replica import CONTENT, NAME, Replica

_CLIENTS = 20
_SECONDS_BETWEEN = 0.1  # of one client: 200 requests each second
_FIELDS = "Host: localhost\r\nRange: bytes=5-1004"


class _Load:
    """Clients that send requests through one front until `stop`, and the responses that they got."""

    def __init__(self, front: str, url: str) -> None:
        self.target = f"/{NAME}?{front}"
        self._port = urlsplit(url).port
        self._stopped = asyncio.Event()
        self.responses: Counter[str] = Counter()

    def stop(self) -> None:
        self._stopped.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_CLIENTS):
                tasks.create_task(self._client())

    async def _client(self) -> None:
        connection = None
        while not self._stopped.is_set():
            pause = asyncio.create_task(asyncio.sleep(_SECONDS_BETWEEN))
            connection = connection or await asyncio.open_connection("127.0.0.1", self._port)
            try:
                closes = await self._ask(*connection)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.responses[repr(error)] += 1
                closes = True
            if closes:
                connection[1].close()
                connection = None
            await pause
        if connection:
            connection[1].close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send a request and count its response; return whether the connection is of no more use."""
        writer.write(f"GET {self.target} HTTP/1.1\r\n{_FIELDS}\r\n\r\n".encode())
        status, _, lines = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
        fields: Message = parse_headers(BytesIO(lines))
        if "Content-Length" not in fields:  # an error of HAProxy ends with its connection
            self.responses[status.decode()] += 1
            return True
        content = await reader.readexactly(int(fields["Content-Length"]))
        is_right = content == CONTENT[5:1005]
        self.responses["right" if is_right else status.decode()] += 1
        return (fields["Connection"] or "").lower() == "close"


async def _both_serve(replicas: Sequence[Replica], loads: Sequence[_Load]) -> None:
    """Wait until each server responds to both fronts: nginx tries a server again 10 s after a failure."""
    sizes = [replica.log_size() for replica in replicas]

    def serve_all() -> bool:
        pairs = zip(replicas, sizes, strict=True)
        return all(replica.has_served(load.target, size) for replica, size in pairs for load in loads)

    await eventually(serve_all)


@pytest.mark.parametrize("site", ["mtime"], indirect=True)
async def test_no_request_is_lost_while_both_servers_are_restarted_one_after_the_other(
    site: Site, tmp_path: Path
) -> None:
    # An nginx that has just seen both servers stopped would send no requests for 10 s.
    with fronts(tmp_path / "fronts", site.replicas) as urls:
        loads = [_Load(front, urls[front]) for front in ("nginx", "haproxy")]
        await _restart(site.replicas, loads)
    assert [set(load.responses) for load in loads] == [{"right"}] * 2, [load.responses for load in loads]
    assert min(load.responses.total() for load in loads) > 100


async def _restart(replicas: Sequence[Replica], loads: Sequence[_Load]) -> None:
    """Restart one server after the other under load, each as soon as both serve."""
    async with asyncio.TaskGroup() as tasks:
        for load in loads:
            tasks.create_task(load.run())
        for replica in replicas:
            await _both_serve(replicas, loads)
            assert await asyncio.to_thread(replica.stop) == 0
            await asyncio.to_thread(replica.start)
        await _both_serve(replicas, loads)
        for load in loads:
            load.stop()
