"""Servers that refuse unusual requests, send something else than the file, or are several under one name."""

from collections.abc import AsyncIterator, Callable
from itertools import cycle
from pathlib import Path

import httpx
import pytest
from harness.clock import SkippingClock

from async_downloads.client import Downloader, Progress
from async_downloads.errors import BadResponse, BadStatus, RetriesExhausted
from client.remote import URL, Fault, Remote, ScriptedBody, cut, names, refused, with_fields

pytestmark = pytest.mark.usefixtures("quick")

OLD = "Tue, 14 Nov 2023 22:13:20 GMT"
PAGE = b"<html>Please sign in</html>"
HELD = 2_000_000


@pytest.fixture(params=[1, 4])
async def some(remote: Remote, request: pytest.FixtureRequest) -> AsyncIterator[Downloader]:
    """A downloader with one or four connections, for a file that is worth four."""
    remote.content *= 8
    async with remote.client() as client, Downloader(connections=request.param, client=client) as downloader:
        yield downloader


def refused_if(condition: Callable[[httpx.Request], bool], status: int) -> Fault:
    """Refuse the requests that fit a condition."""

    def fault(remote: Remote, request: httpx.Request) -> httpx.Response:
        return httpx.Response(status) if condition(request) else remote.respond(request)

    return fault


def page(remote: Remote, request: httpx.Request) -> httpx.Response:
    """Send a page to sign in."""
    return remote.streamed(200, {"Content-Type": "text/html"}, PAGE)


def empty(remote: Remote, request: httpx.Request) -> httpx.Response:
    """Send nothing."""
    return remote.streamed(200, {}, b"")


def as_200(remote: Remote, request: httpx.Request) -> httpx.Response:
    """Send the requested part with status 200."""
    response = remote.respond(request)
    return httpx.Response(200, headers=response.headers, stream=response.stream)


def as_unlabelled_200(remote: Remote, request: httpx.Request) -> httpx.Response:
    """Send the requested part with status 200, and do not say that it is a part."""
    response = as_200(remote, request)
    response.headers.pop("content-range", None)
    return response


@pytest.mark.parametrize("fault", [as_200, as_unlabelled_200])
async def test_a_part_with_status_200_is_not_the_whole_file(
    some: Downloader, remote: Remote, path: Path, fault: Fault
) -> None:
    remote.faults = [cut(HELD), *[fault] * 100]
    await some.fetch(URL, path)
    assert path.read_bytes() == remote.content


@pytest.mark.parametrize("status", [400, 403, 405, 406, 412, 500, 501])
@pytest.mark.parametrize("field", ["range", "want-repr-digest"])
async def test_a_server_that_refuses_a_field_is_asked_plainly(
    some: Downloader, remote: Remote, path: Path, field: str, status: int
) -> None:
    remote.faults = [refused_if(lambda request: field in request.headers, status)] * 100
    await some.fetch(URL, path)
    assert path.read_bytes() == remote.content
    assert len(remote.requests) <= 2


async def test_a_resumed_download_keeps_its_bytes_if_only_the_digest_is_refused(
    one: Downloader, remote: Remote, path: Path
) -> None:
    remote.faults = [cut(HELD), *[refused(404)]]
    with pytest.raises(BadStatus):
        await one.fetch(URL, path)
    remote.faults = [refused_if(lambda request: "want-repr-digest" in request.headers, 403)] * 100
    assert (await one.fetch(URL, path)).resumed_from == HELD
    assert path.read_bytes() == remote.content


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_link_that_works_once_is_enough(some: Downloader, remote: Remote, path: Path, status: int) -> None:
    remote.faults = [None, *[refused(status)] * 100]
    await some.fetch(URL, path)
    assert path.read_bytes() == remote.content


@pytest.mark.parametrize("fault", [page, empty, with_fields(ETag="", Content_Type="text/html")])
@pytest.mark.parametrize("etag", ['"a"', None])
async def test_a_page_in_place_of_the_rest_is_a_failure(
    some: Downloader, remote: Remote, path: Path, fault: Fault, etag: str | None
) -> None:
    def whole(remote: Remote, request: httpx.Request) -> httpx.Response:
        return fault(remote, httpx.Request("GET", request.url))

    remote.etag = etag
    remote.fields["Content-Type"] = "application/x-iso9660-image"
    remote.faults = [cut(HELD), *[whole] * 100]
    with pytest.raises(RetriesExhausted) as caught:
        await some.fetch(URL, path)
    assert (caught.value.exit_code, path.exists()) == (7, False)
    assert names(path) == (["target.part", "target.part.json"] if etag else [])
    remote.faults = []
    assert ((await some.fetch(URL, path)).resumed_from > 0) is (etag is not None)
    assert path.read_bytes() == remote.content


async def test_a_page_for_an_archive_is_a_warning(one: Downloader, remote: Remote, path: Path) -> None:
    remote.fields["Content-Type"] = "text/html"
    result = await one.fetch(URL, path.with_name("data.zip"))
    assert result.warning == "the server sent an HTML page for data.zip"
    assert (await one.fetch("http://example.com/page", path)).warning == ""


async def test_a_page_for_an_archive_is_an_error_if_strict(remote: Remote, path: Path) -> None:
    remote.faults = [page]
    async with remote.client() as client, Downloader(strict=True, client=client) as downloader:
        with pytest.raises(BadResponse, match=r"an HTML page for file\.bin"):
            await downloader.fetch(URL, path)
    assert names(path) == []


@pytest.mark.parametrize("tags", [('"a"', '"b"'), ('"a"', 'W/"a"'), ('W/"a"', 'W/"b"'), ('"a"', '"b"', '"c"')])
@pytest.mark.parametrize("cuts", [0, 2])
async def test_a_file_of_servers_with_etags_of_their_own_is_complete(
    some: Downloader, remote: Remote, path: Path, tags: tuple[str, ...], cuts: int
) -> None:
    turns = cycle(tags)

    def next_server(fault: Fault) -> Fault:
        def respond(remote: Remote, request: httpx.Request) -> httpx.Response:
            remote.etag = next(turns)
            return fault(remote, request)

        return respond

    remote.fields["Last-Modified"] = OLD
    remote.faults = [*[next_server(cut(HELD))] * cuts, *[next_server(Remote.respond)] * 100]
    await some.fetch(URL, path)
    assert path.read_bytes() == remote.content


@pytest.mark.parametrize("etag", ['W/"a"', "0x8DC0FFEE"])
async def test_a_weak_etag_with_an_old_date_is_resumed(some: Downloader, remote: Remote, path: Path, etag: str) -> None:
    remote.etag, remote.fields["Last-Modified"] = etag, OLD
    remote.faults = [cut(HELD), *[refused(404)] * 9]
    with pytest.raises(BadStatus):
        await some.fetch(URL, path)
    remote.faults, remote.requests = [], []
    assert (await some.fetch(URL, path)).resumed_from == HELD
    assert path.read_bytes() == remote.content
    assert remote.requests[0].headers["if-unmodified-since"] == OLD


async def test_a_changed_file_with_a_weak_etag_is_downloaded_again(
    some: Downloader, remote: Remote, path: Path
) -> None:
    remote.etag, remote.fields["Last-Modified"] = 'W/"a"', OLD
    remote.faults = [cut(HELD), *[refused(404)] * 9]
    with pytest.raises(BadStatus):
        await some.fetch(URL, path)
    remote.etag, remote.content = 'W/"b"', bytes(reversed(remote.content))
    remote.faults = [refused(412)]
    await some.fetch(URL, path)
    assert path.read_bytes() == remote.content


@pytest.mark.parametrize("date", ["Thu, 01 Jan 1970 00:00:00 GMT", "Tue, 01 Jan 1980 00:00:00 GMT"])
async def test_parts_with_a_placeholder_for_a_date_are_not_combined(
    some: Downloader, remote: Remote, path: Path, date: str
) -> None:
    def changing(remote: Remote, request: httpx.Request) -> httpx.Response:
        remote.content = bytes(reversed(remote.content))
        return remote.respond(request)

    remote.etag, remote.fields["Last-Modified"] = None, date
    remote.faults = [cut(HELD), changing]
    await some.fetch(URL, path)
    assert path.read_bytes() == remote.content


async def test_a_server_that_prepares_the_file_is_waited_for(
    one: Downloader, remote: Remote, path: Path, skipping: SkippingClock
) -> None:
    began = skipping.now
    remote.faults = [refused(202, Retry_After="10")] * 20
    await one.fetch(URL, path)
    assert (path.read_bytes() == remote.content, skipping.now - began) == (True, 200)


async def test_six_connections_are_open_to_one_host_at_most(remote: Remote, tmp_path: Path) -> None:
    running, most = set[httpx.AsyncByteStream](), 0

    class Counted(ScriptedBody):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal most
            running.add(self)
            most = max(most, len(running))
            async for chunk in super().__aiter__():
                yield chunk

        async def aclose(self) -> None:
            running.discard(self)

    def counted(remote: Remote, request: httpx.Request) -> httpx.Response:
        response = remote.respond(request)
        assert isinstance(response.stream, ScriptedBody)
        return httpx.Response(response.status_code, headers=response.headers, stream=Counted(response.stream._segments))

    remote.content *= 8
    remote.faults = [counted] * 1000
    async with remote.client() as client, Downloader(client=client) as downloader:
        results = await downloader.fetch_all([(URL, tmp_path / str(number)) for number in range(9)], limit=9)
    assert ([type(each).__name__ for each in results], most) == (["Result"] * 9, 6)


async def test_the_progress_of_many_downloads_has_their_urls(one: Downloader, path: Path) -> None:
    urls = [f"http://example.com/{number}" for number in range(3)]
    reports: list[Progress] = []
    await one.fetch_all([(url, path.with_name(url[-1])) for url in urls], on_progress=reports.append)
    assert {each.url for each in reports} == set(urls)
