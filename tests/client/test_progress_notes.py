"""What a listener is told in words: why nothing comes, until when, and that it begins again."""

from pathlib import Path

import pytest

from async_downloads.client import Downloader, Progress
from client.remote import URL, Fault, Remote, cut, ignoring_range, refused

ANEW = "starting over: the server cannot resume this file"
BUSY = "the server answers 503 Service Unavailable"


async def notes(downloader: Downloader, path: Path) -> list[str]:
    """Return what is noted while a file is fetched, each note once."""
    heard: list[Progress] = []
    await downloader.fetch(URL, path, on_progress=heard.append)
    return list(filter(None, dict.fromkeys(each.note for each in heard)))


@pytest.mark.usefixtures("skipping")
@pytest.mark.parametrize(
    ("fault", "note"),
    [
        pytest.param(refused(503), f"{BUSY}: again in 1 s", id="for less than a second"),
        pytest.param(refused(503, Retry_After="2"), f"{BUSY}: again in 2 s", id="for as long as the server says"),
        pytest.param(refused(503, Retry_After="0"), BUSY, id="not at all"),
        pytest.param(cut(300_000), "reset", id="not at all after many bytes"),
        pytest.param(cut(9), "reset: again in 1 s", id="after few bytes"),
    ],
)
async def test_it_is_told_for_how_long_it_waits(
    one: Downloader, remote: Remote, path: Path, fault: Fault, note: str
) -> None:
    remote.faults = [fault]
    assert await notes(one, path) == [note]


@pytest.mark.usefixtures("skipping")
async def test_so_it_is_when_another_connection_was_told_to_wait(remote: Remote, path: Path) -> None:
    remote.faults = [None, *[refused(503, Retry_After="60")] * 2]
    async with remote.client() as client, Downloader(connections=2, client=client) as two:
        assert await notes(two, path) == [f"{BUSY}: again in 60 s"]


@pytest.mark.usefixtures("skipping")
async def test_it_is_told_when_what_came_is_of_no_use(one: Downloader, remote: Remote, path: Path) -> None:
    remote.etag = None
    remote.faults = [cut(9), cut(300_000)]
    assert await notes(one, path) == [f"reset: again in 1 s, {ANEW}", f"reset: {ANEW}"]


@pytest.mark.usefixtures("skipping")
async def test_so_it_is_when_the_server_sends_the_whole_again(one: Downloader, remote: Remote, path: Path) -> None:
    remote.faults = [cut(300_000), ignoring_range]
    assert await notes(one, path) == ["reset", ANEW]
