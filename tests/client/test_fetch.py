"""Downloads whose connections break, are refused or stall, and files that change meanwhile."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from harness.clock import Clock, SkippingClock

from async_downloads.client import Downloader, Progress, download
from async_downloads.client.decisions.version import UNKNOWN
from async_downloads.client.severity import VersionReplaced, most_severe
from async_downloads.errors import (
    BadResponse,
    BadStatus,
    DeadlineExceeded,
    DigestMismatch,
    FetchError,
    NetworkError,
    RemoteChanged,
    RetriesExhausted,
    Stalled,
)
from client.remote import (
    MIB,
    URL,
    Fault,
    Remote,
    ScriptedBody,
    broken,
    cut,
    ignoring_range,
    names,
    refused,
    with_fields,
)

pytestmark = pytest.mark.usefixtures("quick")

DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize("connections", [1, 4])
async def test_a_broken_download_continues(remote: Remote, path: Path, connections: int) -> None:
    remote.faults = [cut(300_000), refused(503), broken(httpx.ConnectError("refused")), cut(100), None, cut(200_000)]
    async with remote.client() as client:
        result = await download(URL, path, client=client, connections=connections)
    assert path.read_bytes() == remote.content
    assert result.transferred == len(remote.content)


async def test_without_a_validator_a_broken_download_starts_over(one: Downloader, remote: Remote, path: Path) -> None:
    remote.etag = None
    remote.faults = [cut(300_000)]
    result = await one.fetch(URL, path)
    assert path.read_bytes() == remote.content
    assert (remote.ranges, result.transferred) == ([None, None], 300_000 + len(remote.content))


async def test_an_old_date_is_a_strong_validator(one: Downloader, remote: Remote, path: Path) -> None:
    remote.etag, remote.fields["Last-Modified"] = None, DATE
    remote.faults = [cut(300_000)]
    await one.fetch(URL, path)
    assert path.read_bytes() == remote.content
    assert remote.requests[1].headers["if-range"] == DATE


async def test_a_server_that_ignores_ranges_sends_the_whole_file_again(
    one: Downloader, remote: Remote, path: Path
) -> None:
    remote.faults = [cut(300_000), ignoring_range]
    result = await one.fetch(URL, path)
    assert path.read_bytes() == remote.content
    assert (len(remote.requests), result.transferred) == (2, 300_000 + len(remote.content))


async def test_a_new_version_is_downloaded_from_the_start(four: Downloader, remote: Remote, path: Path) -> None:
    old, new = remote.content, bytes(reversed(remote.content))
    reports: list[Progress] = []

    def replaced(remote: Remote, request: httpx.Request) -> httpx.Response:
        remote.etag, remote.content = '"b"', new
        return remote.respond(request)

    remote.faults = [cut(900_000), replaced]
    result = await four.fetch(URL, path, on_progress=reports.append)
    assert (path.read_bytes() == new, old != new, str(result.validators.etag)) == (True, True, '"b"')
    assert "the file changed on the server: starting over" in {each.note for each in reports}


async def test_a_file_that_keeps_changing_is_given_up(one: Downloader, remote: Remote, path: Path) -> None:
    def changing(remote: Remote, request: httpx.Request) -> httpx.Response:
        remote.etag = f'"{len(remote.requests)}"'
        return cut(100)(remote, request)

    remote.faults = [changing] * 50
    with pytest.raises(RemoteChanged, match="replaced 6 times"):
        await one.fetch(URL, path)
    remote.faults = []
    await one.fetch(URL, path)
    assert (path.read_bytes() == remote.content, names(path)) == (True, ["target"])


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        pytest.param(refused(404), BadStatus, 8, id="404"),
        pytest.param(refused(401), BadStatus, 6, id="401"),
        pytest.param(refused(205), BadResponse, 7, id="205"),
        pytest.param(refused(304), BadResponse, 7, id="304 without a file"),
    ],
)
async def test_a_final_error_ends_the_download(
    one: Downloader, remote: Remote, path: Path, fault: object, kind: type[FetchError], code: int
) -> None:
    path.write_text("old")
    remote.faults = [fault]  # type: ignore[list-item]
    with pytest.raises(kind) as caught:
        await one.fetch(URL, path)
    assert (caught.value.exit_code, path.read_text(), names(path)) == (code, "old", ["target"])


async def test_a_download_without_retries_left_can_be_resumed_later(
    one: Downloader, remote: Remote, path: Path
) -> None:
    remote.faults = [cut(300_000), *[refused(503)] * 6]
    with pytest.raises(RetriesExhausted, match="gave up after 6 tries: the server responded 503"):
        await one.fetch(URL, path)
    assert names(path) == ["target.part", "target.part.json"]
    result = await one.fetch(URL, path)
    assert (result.resumed_from, result.transferred) == (300_000, len(remote.content) - 300_000)
    assert (path.read_bytes() == remote.content, names(path)) == (True, ["target"])


async def test_a_body_longer_than_its_length_is_requested_again(one: Downloader, remote: Remote, path: Path) -> None:
    remote.faults = [with_fields(Content_Length="1000000")]
    await one.fetch(URL, path)
    assert path.read_bytes() == remote.content


@pytest.mark.parametrize("connections", [1, 4])
async def test_a_cancelled_download_can_be_resumed(remote: Remote, path: Path, connections: int) -> None:
    taken = asyncio.Event()

    def segments() -> Iterator[bytes]:
        yield remote.content[:700_000]
        taken.set()

    def endless(remote: Remote, request: httpx.Request) -> httpx.Response:
        response = remote.respond(request)
        return httpx.Response(
            response.status_code, headers=response.headers, stream=ScriptedBody(segments(), hangs=True)
        )

    remote.faults = [endless]
    async with remote.client() as client, Downloader(connections=connections, client=client) as downloader:
        task = asyncio.create_task(downloader.fetch(URL, path))
        await taken.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert names(path) == ["target.part", "target.part.json"]
        assert (await downloader.fetch(URL, path)).resumed_from >= 700_000
    assert path.read_bytes() == remote.content


async def test_an_exceeded_deadline_keeps_the_received_bytes(remote: Remote, path: Path, clock: Clock) -> None:
    def segments() -> Iterator[bytes]:
        yield remote.content[:700_000]
        clock.forward(3600)

    def endless(remote: Remote, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=remote.respond(request).headers, stream=ScriptedBody(segments(), hangs=True))

    remote.faults = [endless]
    async with (
        remote.client() as client,
        Downloader(connections=1, timeout=3600, stall_timeout=7200, client=client) as downloader,
    ):
        with pytest.raises(DeadlineExceeded, match=r"longer than 3600 s"):
            await downloader.fetch(URL, path)
        assert names(path) == ["target.part", "target.part.json"]


async def test_a_time_that_is_out_elsewhere_is_not_the_deadline(one: Downloader, path: Path) -> None:
    def listener(progress: Progress) -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await one.fetch(URL, path, on_progress=listener)


async def test_a_stalled_request_is_retried(remote: Remote, path: Path) -> None:
    def stalled(remote: Remote, request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, headers=remote.respond(request).headers, stream=ScriptedBody([remote.content[:9]], hangs=True)
        )

    remote.faults = [stalled]
    async with remote.client() as client, Downloader(connections=1, stall_timeout=0.02, client=client) as downloader:
        assert (await downloader.fetch(URL, path)).size == len(remote.content)
        remote.faults, remote.etag = [stalled], '"b"'
    async with remote.client() as client, Downloader(retries=0, stall_timeout=0.02, client=client) as downloader:
        with pytest.raises(Stalled):
            await downloader.fetch(URL, path)


async def test_refused_connections_leave_the_work_to_the_others(four: Downloader, remote: Remote, path: Path) -> None:
    remote.content *= 16
    remote.faults = [None, None, *[refused(429)] * 3]
    await four.fetch(URL, path)
    assert path.read_bytes() == remote.content


async def test_connections_are_added_again_after_a_while(
    four: Downloader, remote: Remote, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("async_downloads.client.workers._SCALE_UP_SECONDS", 0.0)
    remote.content *= 16
    remote.faults = [None, None, *[refused(429)] * 3]
    most = 0

    def listener(progress: Progress) -> None:
        nonlocal most
        most = max(most, len(progress.segments))

    monkeypatch.setattr("async_downloads.client.reporter._INTERVAL_SECONDS", 0.0)
    await four.fetch(URL, path, on_progress=listener)
    assert (path.read_bytes() == remote.content, most > 1) == (True, True)


async def test_the_whole_file_is_requested_when_ranges_stop_working(
    four: Downloader, remote: Remote, path: Path
) -> None:
    remote.faults = [None, *[ignoring_range] * 20]
    await four.fetch(URL, path)
    assert path.read_bytes() == remote.content


async def test_a_full_body_ends_when_no_byte_is_missing(four: Downloader, remote: Remote, path: Path) -> None:
    def ignoring_one(remote: Remote, request: httpx.Request) -> httpx.Response:
        ignored = request.headers.get("range", "").startswith("bytes=100-")
        return ignoring_range(remote, request) if ignored else remote.respond(request)

    remote.content *= 16
    remote.faults = [cut(100), *[ignoring_one] * 20]
    result = await four.fetch(URL, path)
    assert (path.read_bytes() == remote.content, None in remote.ranges) == (True, True)
    assert result.transferred < 1.95 * len(remote.content)


def test_the_most_severe_error_is_raised() -> None:
    inner = ExceptionGroup("", [VersionReplaced(UNKNOWN), NetworkError("lost")])
    assert isinstance(most_severe(ExceptionGroup("", [VersionReplaced(UNKNOWN), inner])), NetworkError)
    assert isinstance(most_severe(ExceptionGroup("", [VersionReplaced(UNKNOWN)])), VersionReplaced)
    damage = DigestMismatch("sha256:a", "sha256:b")
    assert most_severe(ExceptionGroup("", [VersionReplaced(UNKNOWN), NetworkError("lost"), damage])) is damage


async def test_a_retry_after_binds_only_the_refused_connection(
    four: Downloader, remote: Remote, path: Path, skipping: SkippingClock
) -> None:
    began = skipping.now
    remote.content *= 16
    remote.faults = [None, *[refused(429, Retry_After="3600")] * 3]
    await four.fetch(URL, path)
    assert path.read_bytes() == remote.content
    assert (len(remote.requests), skipping.now - began) == (4, 0)


async def test_a_part_without_a_length_whose_status_is_200_is_not_stored_as_the_file(
    one: Downloader, remote: Remote, path: Path
) -> None:
    def unlabelled(remote: Remote, request: httpx.Request) -> httpx.Response:
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        return httpx.Response(200, headers={"ETag": '"a"'}, stream=ScriptedBody([remote.content[start:]]))

    remote.faults = [cut(MIB), *[unlabelled] * 9]
    await one.fetch(URL, path)
    assert path.read_bytes() == remote.content
    assert remote.ranges == [None, f"bytes={MIB}-{len(remote.content) - 1}", None]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(broken(httpx.RemoteProtocolError("Server disconnected without sending a response.")), id="closed"),
        pytest.param(broken(httpx.ReadError("reset")), id="reset"),
        pytest.param(refused(502), id="behind a gateway"),
    ],
)
async def test_a_server_that_crashes_at_a_range_is_asked_without(
    four: Downloader, remote: Remote, path: Path, fault: Fault
) -> None:
    def crashing(remote: Remote, request: httpx.Request) -> httpx.Response:
        unusual = {"range", "want-repr-digest"} & set(request.headers)
        return fault(remote, request) if unusual else remote.respond(request)

    remote.faults = [crashing] * 9
    await four.fetch(URL, path)
    assert path.read_bytes() == remote.content
    assert len(remote.requests) == 3
