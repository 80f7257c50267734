"""Several connections that are refused or lost at the same time count as one failure."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from async_downloads.client import Downloader
from async_downloads.errors import RetriesExhausted
from client.remote import URL, Fault, Remote, ScriptedBody, cut, refused

pytestmark = pytest.mark.usefixtures("quick", "clock")


class _Counted(ScriptedBody):
    """A body that is in `running` until it is closed."""

    def __init__(self, body: httpx.AsyncByteStream, running: set[httpx.AsyncByteStream]) -> None:
        self._body = body
        self._running = running
        running.add(self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for segment in self._body:
            yield segment

    async def aclose(self) -> None:
        self._running.discard(self)


def crowded(most: int, refusal: Fault) -> Fault:
    """Refuse a request while this number of bodies is open."""
    running: set[httpx.AsyncByteStream] = set()

    def fault(remote: Remote, request: httpx.Request) -> httpx.Response:
        if len(running) >= most:
            return refusal(remote, request)
        response = remote.respond(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        return httpx.Response(response.status_code, headers=response.headers, stream=_Counted(response.stream, running))

    return fault


def lost(remote: Remote, request: httpx.Request) -> httpx.Response:
    """Close a connection without a response."""
    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")


def stalled(remote: Remote, request: httpx.Request) -> httpx.Response:
    """Send a correct response, but nothing after the first bytes."""
    response = remote.respond(request)
    start = int(response.headers["content-range"].removeprefix("bytes ").partition("-")[0])
    stream = ScriptedBody([remote.content[start : start + 100_000]], hangs=True)
    return httpx.Response(response.status_code, headers=response.headers, stream=stream)


@pytest.fixture
async def eight(remote: Remote) -> AsyncIterator[Downloader]:
    """A downloader with eight connections and one retry."""
    remote.content *= 16
    async with (
        remote.client() as client,
        Downloader(connections=8, retries=1, stall_timeout=0.05, client=client) as downloader,
    ):
        yield downloader


@pytest.mark.parametrize("most", [1, 2, 5])
@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(refused(503), id="503"),
        pytest.param(refused(429, Retry_After="0"), id="429"),
        pytest.param(lost, id="closed"),
    ],
)
async def test_a_server_that_accepts_few_connections_is_downloaded_from(
    eight: Downloader, remote: Remote, path: Path, most: int, refusal: Fault
) -> None:
    remote.faults = [crowded(most, refusal)] * 1000
    await eight.fetch(URL, path)
    assert path.read_bytes() == remote.content


@pytest.mark.parametrize("fault", [pytest.param(cut(100_000), id="lost"), pytest.param(stalled, id="stalled")])
async def test_a_failure_of_all_connections_at_once_counts_once(
    eight: Downloader, remote: Remote, path: Path, fault: Fault
) -> None:
    remote.faults = [None, *[fault] * 8]
    await eight.fetch(URL, path)
    assert path.read_bytes() == remote.content


async def test_a_lasting_failure_uses_up_the_retries(eight: Downloader, remote: Remote, path: Path) -> None:
    remote.faults = [cut(100_000), *[refused(503)] * 1000]
    with pytest.raises(RetriesExhausted, match="gave up after 2 tries"):
        await eight.fetch(URL, path)


async def test_connections_that_break_repeatedly_do_not_wait_for_each_other(
    four: Downloader, remote: Remote, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("async_downloads.client.decisions.retries._FIRST_WAIT_SECONDS", 3600.0)
    remote.content *= 16
    remote.faults = [cut(100_000)] * 1000
    await four.fetch(URL, path)
    assert path.read_bytes() == remote.content
    assert len(remote.requests) < 3 * len(remote.content) / 100_000
