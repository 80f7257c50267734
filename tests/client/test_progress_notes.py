"""The notes of a progress report: why the download waits, for how long, and whether it starts over."""

from pathlib import Path

import pytest

from async_downloads.client import Downloader, Progress
from client.remote import URL, Fault, Remote, cut, ignoring_range, refused

STARTING_OVER = "starting over: the server cannot resume this file"
BUSY = "the server responded 503 Service Unavailable"


async def notes(downloader: Downloader, path: Path) -> list[str]:
    """Return the notes of a download, each once."""
    reports: list[Progress] = []
    await downloader.fetch(URL, path, on_progress=reports.append)
    return list(filter(None, dict.fromkeys(each.note for each in reports)))


@pytest.mark.usefixtures("skipping")
@pytest.mark.parametrize(
    ("fault", "note"),
    [
        pytest.param(refused(503), f"{BUSY}: again in 1 s", id="a wait below a second"),
        pytest.param(refused(503, Retry_After="2"), f"{BUSY}: again in 2 s", id="the wait of the server"),
        pytest.param(refused(503, Retry_After="0"), BUSY, id="no wait"),
        pytest.param(cut(300_000), "reset", id="no wait after many bytes"),
        pytest.param(cut(9), "reset: again in 1 s", id="a wait after few bytes"),
    ],
)
async def test_the_note_says_how_long_the_download_waits(
    one: Downloader, remote: Remote, path: Path, fault: Fault, note: str
) -> None:
    remote.faults = [fault]
    assert await notes(one, path) == [note]


@pytest.mark.usefixtures("skipping")
async def test_there_is_no_note_when_only_a_further_connection_is_refused(remote: Remote, path: Path) -> None:
    remote.content *= 16
    remote.faults = [None, *[refused(503, Retry_After="60")] * 2]
    async with remote.client() as client, Downloader(connections=2, client=client) as two:
        assert await notes(two, path) == []


@pytest.mark.usefixtures("skipping")
async def test_the_note_says_when_received_bytes_are_useless(one: Downloader, remote: Remote, path: Path) -> None:
    remote.etag = None
    remote.faults = [cut(9), cut(300_000)]
    assert await notes(one, path) == [f"reset: again in 1 s, {STARTING_OVER}", f"reset: {STARTING_OVER}"]


@pytest.mark.usefixtures("skipping")
async def test_the_note_says_when_the_server_sends_the_whole_file_again(
    one: Downloader, remote: Remote, path: Path
) -> None:
    remote.faults = [cut(300_000), ignoring_range]
    assert await notes(one, path) == ["reset", STARTING_OVER]
