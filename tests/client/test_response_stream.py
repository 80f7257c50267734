"""A stream, which continues at the next byte when its connection breaks."""

import asyncio
import gzip
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator

import httpx
import pytest
from harness.waiting import HANGING

from async_downloads.client import Downloader, ResponseStream
from async_downloads.errors import BadResponse, BadStatus, DigestMismatch, NetworkError, RemoteChanged, RetriesExhausted
from client.remote import URL, Fault, Remote, ScriptedBody, broken, cut, ignoring_range, refused, sha256, with_fields


@pytest.fixture
def remote() -> Remote:
    """A server with a file of a little more than 3 MiB."""
    return Remote()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the first wait before a retry 0 seconds, so that no test sleeps."""
    monkeypatch.setattr("async_downloads.client.decisions.retries._FIRST_WAIT_SECONDS", 0.0)


@pytest.fixture
async def downloader(remote: Remote) -> AsyncIterator[Downloader]:
    """A downloader that uses that server."""
    async with remote.client() as client, Downloader(client=client) as downloader:
        yield downloader


async def read(body: ResponseStream) -> bytes:
    """Read a stream to its end."""
    return b"".join([chunk async for chunk in body])


async def test_a_stream_is_read(downloader: Downloader, remote: Remote) -> None:
    remote.fields["Content-Disposition"] = 'attachment; filename="../name"'
    async with downloader.open(URL) as body:
        assert (body.size, body.name, str(body.validators.etag)) == (len(remote.content), "name", '"a"')
        assert await read(body) == remote.content
    assert len(remote.requests) == 1


@pytest.mark.parametrize(
    ("faults", "ranges"),
    [
        pytest.param([cut(300_000)], [None, "bytes=300000-"], id="it broke"),
        pytest.param([cut(9), cut(9)], [None, "bytes=9-", "bytes=18-"], id="it broke twice"),
        pytest.param([cut(0)], [None, "bytes=0-"], id="it broke before the first byte"),
        pytest.param([cut(9), refused(503), None], [None, "bytes=9-", "bytes=9-"], id="it was refused"),
        pytest.param([cut(9), ignoring_range], [None, "bytes=9-"], id="the range was ignored"),
        pytest.param(
            [refused(503), broken(httpx.ReadError("reset"))], [None, None, None], id="it failed before it started"
        ),
        pytest.param(
            [cut(9), with_fields(Content_Range="")], [None, "bytes=9-", "bytes=9-"], id="a part without Content-Range"
        ),
    ],
)
async def test_a_broken_stream_continues_at_the_next_byte(
    downloader: Downloader, remote: Remote, faults: list[Fault | None], ranges: list[str | None]
) -> None:
    remote.faults = faults
    async with downloader.open(URL) as body:
        assert await read(body) == remote.content
    assert remote.ranges == ranges


async def test_a_stream_that_was_closed_early_never_looks_complete(downloader: Downloader, remote: Remote) -> None:
    async with downloader.open(URL) as body:
        await anext(body)
    with pytest.raises(RuntimeError, match="inside `async with`"):
        await read(body)


async def test_a_short_part_is_followed_by_another_request(downloader: Downloader, remote: Remote) -> None:
    def shorter(remote: Remote, request: httpx.Request) -> httpx.Response:
        return remote.respond(httpx.Request("GET", URL, headers={"Range": "bytes=9-99"}))

    remote.faults = [cut(9), shorter]
    async with downloader.open(URL) as body:
        assert await read(body) == remote.content
    assert remote.ranges == [None, "bytes=9-", "bytes=100-"]


async def test_tiny_parts_use_up_the_retries(downloader: Downloader, remote: Remote) -> None:
    def tiny(remote: Remote, request: httpx.Request) -> httpx.Response:
        start = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
        return remote.respond(httpx.Request("GET", URL, headers={"Range": f"bytes={start}-{start}"}))

    remote.faults = [cut(9), *[tiny] * 99]
    with pytest.raises(RetriesExhausted, match="the server sent only 1 of"):
        async with downloader.open(URL) as body:
            await read(body)
    assert len(remote.requests) == 6


async def test_bytes_of_another_version_are_not_mixed_in(downloader: Downloader, remote: Remote) -> None:
    remote.faults = [cut(9), with_fields(ETag='"b"')]
    async with downloader.open(URL) as body:
        assert await anext(body) == remote.content[:9]
        with pytest.raises(RemoteChanged, match="while it was being read"):
            await read(body)


async def test_without_a_strong_validator_a_broken_stream_raises(downloader: Downloader, remote: Remote) -> None:
    remote.etag, remote.faults = None, [cut(9)]
    async with downloader.open(URL) as body:
        assert await anext(body) == remote.content[:9]
        with pytest.raises(NetworkError, match="reset"):
            await read(body)


async def test_a_stream_gives_up_when_the_retries_are_used_up(downloader: Downloader, remote: Remote) -> None:
    remote.faults = [cut(9), *[refused(503)] * 6]
    async with downloader.open(URL) as body:
        with pytest.raises(RetriesExhausted):
            await read(body)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [pytest.param(refused(404), BadStatus, id="404"), pytest.param(refused(205), BadResponse, id="205")],
)
async def test_a_final_error_is_raised_before_the_block_starts(
    downloader: Downloader, remote: Remote, fault: Fault, kind: type[Exception]
) -> None:
    remote.faults = [fault]
    with pytest.raises(kind):
        async with downloader.open(URL):
            pytest.fail("there is nothing to read")


def unsized(after: int, error: Exception | None = None) -> Fault:
    """Respond with the whole file without a length, and end after this number of bytes."""

    def fault(remote: Remote, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"ETag": '"a"'}, stream=ScriptedBody([remote.content[:after]], error))

    return fault


async def test_full_bodies_that_end_early_use_up_the_retries(downloader: Downloader, remote: Remote) -> None:
    remote.faults = [cut(9), *[unsized(5)] * 100]
    async with asyncio.timeout(HANGING), downloader.open(URL) as body:
        with pytest.raises(RetriesExhausted):
            await read(body)
    assert None in remote.ranges[1:]  # without a range, it can be no part


async def test_a_body_that_ends_before_the_position_is_not_the_end(downloader: Downloader, remote: Remote) -> None:
    remote.faults = [unsized(9, httpx.ReadError("reset")), unsized(5)]
    async with downloader.open(URL) as body:
        assert await read(body) == remote.content


async def test_a_body_that_broke_after_its_last_byte_is_complete(downloader: Downloader, remote: Remote) -> None:
    remote.faults = [unsized(len(remote.content), httpx.ReadError("reset"))]
    async with downloader.open(URL) as body:
        assert (await read(body) == remote.content, body.size) == (True, len(remote.content))
    assert len(remote.requests) == 2


@pytest.mark.parametrize("faults", [[], [cut(9)]], ids=["unbroken", "after it broke"])
async def test_the_servers_digest_is_verified_at_the_end(
    downloader: Downloader, remote: Remote, faults: list[Fault | None]
) -> None:
    for digest in (hashlib.sha256(remote.content).digest(), bytes(32)):
        remote.fields["Repr-Digest"] = f"sha-256=:{b64encode(digest).decode()}:"
        remote.faults = [*faults]
        async with downloader.open(URL) as body:
            if any(digest):
                assert await read(body) == remote.content
                continue
            with pytest.raises(DigestMismatch, match="should be sha256:00"):
                await read(body)
    assert remote.requests[0].headers["want-repr-digest"] == "sha-512=3, sha-256=10"


async def test_the_digest_of_a_part_is_verified(downloader: Downloader, remote: Remote) -> None:
    remote.faults = [cut(9), with_fields(Content_Digest=f"sha-256=:{b64encode(bytes(32)).decode()}:")]
    async with downloader.open(URL) as body:
        with pytest.raises(DigestMismatch) as caught:
            await read(body)
    assert caught.value.actual == sha256(remote.content[9:])


async def test_a_reader_may_stop_early(downloader: Downloader, remote: Remote) -> None:
    async with downloader.open(URL) as body:
        async for _ in body:
            break


async def test_a_stream_need_not_be_read(downloader: Downloader, remote: Remote) -> None:
    async with downloader.open(URL) as body:
        assert body.size


async def test_a_coded_stream_is_decoded_and_its_size_unknown(downloader: Downloader, remote: Remote) -> None:
    plain, remote.content = remote.content, gzip.compress(remote.content, 1)
    remote.fields["Content-Encoding"] = "gzip"
    async with downloader.open(URL) as body:
        assert (body.size, await read(body) == plain) == (None, True)


async def test_an_empty_stream_has_no_bytes(downloader: Downloader, remote: Remote) -> None:
    remote.content = b""
    async with downloader.open(URL) as body:
        assert (body.size, await read(body)) == (0, b"")


async def test_a_stream_that_has_not_started_has_no_size() -> None:
    async with Remote().client() as client, Downloader(client=client) as downloader:
        body = ResponseStream(downloader._exchange(URL), downloader._limits, URL)
        assert (body.size, body.name) == (None, "file.bin")
        await body.aclose()


@pytest.mark.parametrize("status", [404, 503])
async def test_the_reason_in_the_body_is_part_of_the_error(downloader: Downloader, remote: Remote, status: int) -> None:
    remote.faults = [lambda served, _: served.streamed(status, {}, b"Request has expired\n")] * 6
    with pytest.raises((BadStatus, RetriesExhausted), match="Request has expired"):
        async with downloader.open(URL):
            pass
