"""What happens to a download when connections end at the same time, and when an end is not what it looks like."""

import asyncio
import hashlib
from base64 import b64encode
from pathlib import Path

import httpx
import pytest
from harness.clock import SkippingClock
from harness.waiting import HANGING, eventually

from async_downloads.client import Downloader, Progress
from async_downloads.errors import RetriesExhausted
from client.remote import URL, Fault, Remote, ScriptedBody, cut, refused, sha256

pytestmark = pytest.mark.usefixtures("quick")


def hanging(remote: Remote, request: httpx.Request) -> httpx.Response:
    """Begin to answer, and never go on."""
    answer = remote.respond(request)
    return httpx.Response(answer.status_code, headers=answer.headers, stream=ScriptedBody([b"?"], hangs=True))


def unsized(after: int, error: Exception | None = None) -> Fault:
    """Answer with the whole, whose length is not told, and end after so many bytes."""

    def fault(remote: Remote, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"ETag": '"a"'}, stream=ScriptedBody([remote.content[:after]], error))

    return fault


async def test_who_is_cancelled_while_one_more_may_be_tried_is_cancelled(
    remote: Remote, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.faults = [None, hanging, refused(503), hanging]
    async with remote.client() as client, Downloader(connections=3, client=client) as downloader:
        task = asyncio.create_task(downloader.fetch(URL, path))
        await eventually(lambda: len(remote.requests) == 4)
        monkeypatch.setattr("async_downloads.client.workers._SCALE_UP_SECONDS", -1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_another_version_while_one_more_may_be_tried_is_fetched(
    remote: Remote, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced(remote: Remote, request: httpx.Request) -> httpx.Response:
        remote.etag, remote.content = '"b"', bytes(reversed(remote.content))
        monkeypatch.setattr("async_downloads.client.workers._SCALE_UP_SECONDS", -1.0)
        return remote.respond(request)

    remote.faults = [None, hanging, refused(503), replaced]
    async with remote.client() as client, Downloader(connections=3, client=client) as downloader:
        result = await downloader.fetch(URL, path)
    assert (path.read_bytes() == remote.content, str(result.validators.etag)) == (True, '"b"')


async def test_the_whole_that_ends_early_without_a_length_costs_patience(
    four: Downloader, remote: Remote, path: Path
) -> None:
    remote.faults = [None, *[unsized(1000)] * 100]
    async with asyncio.timeout(HANGING):
        with pytest.raises(RetriesExhausted, match="after 1000 of"):
            await four.fetch(URL, path)


async def test_an_end_before_what_came_earlier_is_none(one: Downloader, remote: Remote, path: Path) -> None:
    remote.faults = [unsized(300_000, httpx.ReadError("reset")), unsized(9)]
    await one.fetch(URL, path)
    assert path.read_bytes() == remote.content


async def test_what_broke_after_its_last_byte_is_complete(one: Downloader, remote: Remote, path: Path) -> None:
    size = len(remote.content)
    remote.faults = [unsized(size, httpx.ReadError("reset"))]
    result = await one.fetch(URL, path)
    assert (path.read_bytes() == remote.content, result.transferred) == (True, size)
    assert remote.ranges == [None, f"bytes={size}-"]


async def test_what_was_promised_for_a_version_that_is_gone_is_no_promise(
    one: Downloader, remote: Remote, path: Path
) -> None:
    def promising(content: bytes, fault: Fault) -> Fault:
        def faulty(remote: Remote, request: httpx.Request) -> httpx.Response:
            remote.content = content
            answer = fault(remote, request)
            digest = b64encode(hashlib.sha256(content).digest()).decode()
            answer.headers["Repr-Digest"] = f"sha-256=:{digest}:"
            return answer

        return faulty

    remote.etag, new = None, b"new" * 1000
    remote.faults = [promising(remote.content, cut(1000)), promising(new, Remote.respond)]
    assert (await one.fetch(URL, path)).digest == sha256(new)
    assert ["want-repr-digest" in request.headers for request in remote.requests] == [True, True]


async def test_nor_is_it_when_the_next_version_promises_nothing(one: Downloader, remote: Remote, path: Path) -> None:
    def promising(remote: Remote, request: httpx.Request) -> httpx.Response:
        answer = cut(1000)(remote, request)
        answer.headers["Repr-Digest"] = f"sha-256=:{b64encode(bytes(32)).decode()}:"
        return answer

    remote.etag, remote.faults = None, [promising]
    assert (await one.fetch(URL, path)).digest is None


@pytest.mark.usefixtures("still")
async def test_retries_at_once_are_told_ten_times_a_second_at_most(one: Downloader, remote: Remote, path: Path) -> None:
    heard: list[Progress] = []
    remote.faults = [cut(70_000)] * 20
    await one.fetch(URL, path, on_progress=heard.append)
    assert [each.state for each in heard].count("retrying") == 1


async def test_who_is_told_to_come_back_in_an_hour_does_so_in_two_minutes(
    one: Downloader, remote: Remote, path: Path, skipping: SkippingClock
) -> None:
    began = skipping.now
    remote.faults = [refused(503, Retry_After="3600")]
    await one.fetch(URL, path)
    assert (path.read_bytes() == remote.content, skipping.now - began) == (True, 120)
