"""Downloads whose connections end at the same time, and bodies whose end is misleading."""

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
    """Start a response, and never continue it."""
    response = remote.respond(request)
    return httpx.Response(response.status_code, headers=response.headers, stream=ScriptedBody([b"?"], hangs=True))


def unsized(after: int, error: Exception | None = None) -> Fault:
    """Respond with the whole file without a length, and end after this number of bytes."""

    def fault(remote: Remote, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"ETag": '"a"'}, stream=ScriptedBody([remote.content[:after]], error))

    return fault


async def test_cancelling_while_a_worker_may_be_added_cancels(
    remote: Remote, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("async_downloads.client.workers._SCALE_UP_SECONDS", 0.0)
    remote.content *= 16
    remote.faults = [hanging, hanging, refused(503)]
    async with remote.client() as client, Downloader(connections=3, client=client) as downloader:
        task = asyncio.create_task(downloader.fetch(URL, path))
        await eventually(lambda: len(remote.requests) == 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_new_version_while_a_worker_may_be_added_is_downloaded(
    remote: Remote, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced(remote: Remote, request: httpx.Request) -> httpx.Response:
        remote.etag, remote.content = '"b"', bytes(reversed(remote.content[1:]))
        return remote.respond(request)

    monkeypatch.setattr("async_downloads.client.workers._SCALE_UP_SECONDS", 0.0)
    remote.content *= 16
    remote.faults = [hanging, hanging, replaced]
    async with remote.client() as client, Downloader(connections=3, client=client) as downloader:
        result = await downloader.fetch(URL, path)
    assert (path.read_bytes() == remote.content, str(result.validators.etag)) == (True, '"b"')


async def test_full_bodies_that_end_early_use_up_the_retries(four: Downloader, remote: Remote, path: Path) -> None:
    remote.faults = [cut(1000), *[unsized(1000)] * 100]
    async with asyncio.timeout(HANGING):
        with pytest.raises(RetriesExhausted, match="after 1000 of"):
            await four.fetch(URL, path)


async def test_a_body_that_ends_before_an_earlier_one_is_not_the_end(
    one: Downloader, remote: Remote, path: Path
) -> None:
    remote.faults = [unsized(300_000, httpx.ReadError("reset")), unsized(9)]
    await one.fetch(URL, path)
    assert path.read_bytes() == remote.content


async def test_a_body_that_broke_after_its_last_byte_is_complete(one: Downloader, remote: Remote, path: Path) -> None:
    size = len(remote.content)
    remote.faults = [unsized(size, httpx.ReadError("reset"))]
    result = await one.fetch(URL, path)
    assert (path.read_bytes() == remote.content, result.transferred) == (True, size)
    assert remote.ranges == [None, f"bytes={size}-"]


async def test_the_digest_of_a_forgotten_version_does_not_count(one: Downloader, remote: Remote, path: Path) -> None:
    def promising(content: bytes, fault: Fault) -> Fault:
        def faulty(remote: Remote, request: httpx.Request) -> httpx.Response:
            remote.content = content
            response = fault(remote, request)
            digest = b64encode(hashlib.sha256(content).digest()).decode()
            response.headers["Repr-Digest"] = f"sha-256=:{digest}:"
            return response

        return faulty

    remote.etag, new = None, b"new" * 1_000_000
    remote.faults = [promising(remote.content, cut(1000)), promising(new, Remote.respond)]
    assert (await one.fetch(URL, path)).digest == sha256(new)
    assert ["want-repr-digest" in request.headers for request in remote.requests] == [True, True]


async def test_it_does_not_count_if_the_next_version_has_no_digest(one: Downloader, remote: Remote, path: Path) -> None:
    def promising(remote: Remote, request: httpx.Request) -> httpx.Response:
        response = cut(1000)(remote, request)
        response.headers["Repr-Digest"] = f"sha-256=:{b64encode(bytes(32)).decode()}:"
        return response

    remote.etag, remote.faults = None, [promising]
    assert (await one.fetch(URL, path)).digest is None


@pytest.mark.usefixtures("still")
async def test_immediate_retries_are_reported_ten_times_a_second_at_most(
    one: Downloader, remote: Remote, path: Path
) -> None:
    reports: list[Progress] = []
    remote.faults = [cut(70_000)] * 20
    await one.fetch(URL, path, on_progress=reports.append)
    assert [each.state for each in reports].count("retrying") == 1


async def test_a_retry_after_of_an_hour_ends_the_download_at_once(
    one: Downloader, remote: Remote, path: Path, skipping: SkippingClock
) -> None:
    began = skipping.now
    remote.faults = [refused(503, Retry_After="3600")]
    with pytest.raises(RetriesExhausted, match="the server asks to wait 3600 s"):
        await one.fetch(URL, path)
    assert (len(remote.requests), skipping.now - began) == (1, 0)
