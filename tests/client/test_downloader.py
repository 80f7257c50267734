"""The entry points: one download, many downloads, and their progress."""

import gzip
from pathlib import Path

import httpx
import pytest

from async_downloads.client import Downloader, Progress, download
from client.remote import URL, Remote, names, refused, sha256, with_fields

pytestmark = pytest.mark.usefixtures("quick")

DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


async def test_a_file_is_downloaded_over_one_connection(one: Downloader, remote: Remote, path: Path) -> None:
    remote.fields["Last-Modified"] = DATE
    result = await one.fetch(URL, path)
    assert path.read_bytes() == remote.content
    assert (result.path, result.size, result.transferred) == (path, len(remote.content), len(remote.content))
    assert (result.resumed_from, result.unchanged, result.digest) == (0, False, None)
    assert (str(result.validators.etag), result.seconds > 0) == ('"a"', True)
    assert (remote.ranges, names(path), path.stat().st_mtime) == ([None], ["target"], 1_700_000_000)


async def test_a_file_is_downloaded_over_four_connections(four: Downloader, remote: Remote, path: Path) -> None:
    remote.content *= 16
    await four.fetch(URL, path)
    assert path.read_bytes() == remote.content
    assert (remote.ranges[0], len(set(remote.ranges)) >= 4) == ("bytes=0-", True)
    assert {request.headers.get("if-range") for request in remote.requests[1:]} == {'"a"'}


async def test_a_free_connection_takes_half_of_a_large_segment(remote: Remote, path: Path) -> None:
    remote.content = bytes(range(256)) * 4096 * 24
    async with remote.client() as client, Downloader(connections=2, client=client) as downloader:
        await downloader.fetch(URL, path)
    assert path.read_bytes() == remote.content


@pytest.mark.parametrize("content", [b"", b"a"], ids=["empty", "one byte"])
async def test_empty_and_tiny_files_are_downloaded(
    four: Downloader, remote: Remote, path: Path, content: bytes
) -> None:
    remote.content = content
    assert (await four.fetch(URL, path)).size == len(content)
    assert path.read_bytes() == content


async def test_a_body_without_a_length_ends_with_its_connection(one: Downloader, remote: Remote, path: Path) -> None:
    remote.faults = [with_fields(Content_Length="")]
    assert (await one.fetch(URL, path)).size == len(remote.content)


async def test_the_other_downloads_continue_after_a_failed_one(one: Downloader, remote: Remote, path: Path) -> None:
    remote.faults = [refused(404)]
    results = await one.fetch_all([(URL, path), (URL, path.with_name("b")), (URL, path.with_name("c"))], limit=1)
    assert [type(result).__name__ for result in results] == ["BadStatus", "Result", "Result"]


async def test_a_malformed_url_or_checksum_raises_value_error(one: Downloader, path: Path) -> None:
    with pytest.raises(ValueError, match="not a URL"):
        await one.fetch("ftp://example.com/a", path)
    with pytest.raises(ValueError, match="checksum"):
        await one.fetch(URL, path, checksum="?")


@pytest.mark.parametrize("options", [{"connections": 0}, {"retries": -1}])
def test_impossible_options_raise_value_error(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="connections must be at least 1"):
        Downloader(**options)  # type: ignore[arg-type]


async def test_a_limit_of_zero_raises_value_error(one: Downloader, path: Path) -> None:
    with pytest.raises(ValueError, match="limit must be at least 1"):
        await one.fetch_all([(URL, path)], limit=0)


async def test_a_downloader_must_be_entered(path: Path) -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await Downloader().fetch(URL, path)


async def test_one_call_downloads_a_file(remote: Remote, path: Path) -> None:
    async with remote.client() as client:
        result = await download(URL, path, client=client, connections=2, checksum=sha256(remote.content))
        assert result.digest
        assert not client.is_closed


async def test_the_downloaders_own_client_is_closed() -> None:
    async with Downloader() as downloader:
        client = downloader._client
    assert client
    assert client.is_closed


async def test_progress_starts_with_waiting_and_ends_with_finished(
    four: Downloader, remote: Remote, path: Path
) -> None:
    reports: list[Progress] = []
    await four.fetch(URL, path, on_progress=reports.append)
    assert (reports[0].state, reports[0].total, reports[0].name) == ("waiting", None, "target")
    assert (reports[-1].state, reports[-1].done, reports[-1].segments) == ("finished", len(remote.content), ())


@pytest.mark.usefixtures("skipping")
async def test_progress_says_why_the_download_waits(
    one: Downloader, remote: Remote, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("async_downloads.client.decisions.retries._FIRST_WAIT_SECONDS", 0.5)
    reports: list[Progress] = []
    remote.faults = [refused(503)]
    await one.fetch(URL, path, on_progress=reports.append)
    assert [(each.state, each.note) for each in reports][1] == (
        "retrying",
        "the server responded 503 Service Unavailable: again in 1 s",
    )


async def test_an_error_of_the_listener_ends_the_download(one: Downloader, remote: Remote, path: Path) -> None:
    def listener(progress: Progress) -> None:
        if progress.state == "downloading":
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        await one.fetch(URL, path, on_progress=listener)
    assert not path.exists()


async def test_a_rate_limit_above_the_speed_changes_nothing(remote: Remote, path: Path) -> None:
    async with remote.client() as client, Downloader(limit_rate=10**9, client=client) as downloader:
        assert (await downloader.fetch(URL, path)).size == len(remote.content)


async def test_an_asgi_application_can_be_the_server(path: Path) -> None:
    async def application(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"etag", b'"a"')]})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"hello"})  # type: ignore[operator]

    async with httpx.AsyncClient(transport=httpx.ASGITransport(application)) as client:
        await download(URL, path, client=client)
    assert path.read_bytes() == b"hello"


async def test_a_client_that_reads_whole_responses_works(path: Path) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=b"hello"))
    async with httpx.AsyncClient(transport=transport) as client:
        await download(URL, path, client=client)
    assert path.read_bytes() == b"hello"


async def test_a_client_that_reads_whole_coded_responses_works(path: Path) -> None:
    response = httpx.Response(200, content=gzip.compress(b"hello"), headers={"Content-Encoding": "gzip"})
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda request: response)) as client:
        await download(URL, path, client=client)
    assert path.read_bytes() == b"hello"


async def test_a_malformed_proxy_raises_value_error(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setenv("http_proxy", "garbage::")
    async with Downloader() as downloader:
        with pytest.raises(ValueError, match="a proxy whose URL is not valid"):
            await downloader.fetch(URL, path)
    assert not path.exists()


async def test_fetch_all_raises_value_error_unchanged(one: Downloader, path: Path) -> None:
    with pytest.raises(ValueError, match="not a URL"):
        await one.fetch_all([(URL, path), ("ftp://example.com/", path.with_name("b"))])
