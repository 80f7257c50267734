"""The part of an earlier download is kept until another body arrives to be stored."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from async_downloads.client import Downloader
from async_downloads.client.disk.part_names import journal_of, part_of
from async_downloads.errors import DiskError, FetchError
from client.remote import URL, Fault, Remote, ScriptedBody, broken, cut, names, refused, with_fields

pytestmark = pytest.mark.usefixtures("quick")

HELD = 300_000
OTHER = "http://example.com/folder/File.bin"


def _kept(path: Path) -> tuple[bytes, bytes]:
    return part_of(path).read_bytes(), journal_of(path).read_bytes()


@pytest.fixture
async def begun(one: Downloader, remote: Remote, path: Path) -> tuple[bytes, bytes]:
    """The part and the journal of an interrupted download."""
    remote.faults = [cut(HELD), refused(404)]
    with pytest.raises(FetchError):
        await one.fetch(URL, path)
    return _kept(path)


def _replaced(remote: Remote, request: httpx.Request) -> httpx.Response:
    remote.etag = '"b"'
    return remote.respond(request)


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("url", [URL, OTHER])
@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([refused(404)], id="not found"),
        pytest.param([refused(403)] * 3, id="forbidden"),
        pytest.param([broken(httpx.ConnectError("refused"))] * 6, id="connection refused"),
    ],
)
async def test_an_error_before_any_body_keeps_the_part(
    one: Downloader, remote: Remote, path: Path, begun: tuple[bytes, bytes], faults: list[Fault], url: str, resume: bool
) -> None:
    remote.faults = list(faults)
    with pytest.raises(FetchError):
        await one.fetch(url, path, resume=resume)
    assert _kept(path) == begun
    assert (await one.fetch(URL, path)).resumed_from == HELD
    assert path.read_bytes() == remote.content


async def test_cancelling_before_a_response_keeps_the_part(
    one: Downloader, remote: Remote, path: Path, begun: tuple[bytes, bytes]
) -> None:
    def cancelling(remote: Remote, request: httpx.Request) -> httpx.Response:
        task.cancel()
        return remote.respond(request)

    remote.faults = [cancelling]
    task = asyncio.create_task(one.fetch(OTHER, path))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _kept(path) == begun


async def test_a_new_version_without_a_body_keeps_the_part(
    one: Downloader, remote: Remote, path: Path, begun: tuple[bytes, bytes]
) -> None:
    remote.faults = [_replaced, refused(404)]
    with pytest.raises(FetchError):
        await one.fetch(URL, path)
    assert _kept(path) == begun
    assert (await one.fetch(URL, path)).resumed_from == 0
    assert (path.read_bytes() == remote.content, names(path)) == (True, ["target"])


async def test_a_full_disk_keeps_the_part(
    one: Downloader, remote: Remote, path: Path, begun: tuple[bytes, bytes]
) -> None:
    remote.faults = [with_fields(Content_Length=str(2**62))]
    with pytest.raises(DiskError, match="and there is room for"):
        await one.fetch(OTHER, path)
    assert _kept(path) == begun


async def test_an_unchanged_whole_file_keeps_the_part(one: Downloader, path: Path, begun: tuple[bytes, bytes]) -> None:
    other = path.with_name("other")
    await one.fetch(OTHER, other)
    other.rename(path)
    assert (await one.fetch(OTHER, path)).unchanged
    assert _kept(path) == begun


@pytest.mark.parametrize("name", ["target.part", "target.part.json"])
async def test_a_foreign_file_named_like_a_part_is_kept(one: Downloader, remote: Remote, path: Path, name: str) -> None:
    path.with_name(name).write_text("foreign")
    remote.faults = [refused(404)]
    with pytest.raises(FetchError):
        await one.fetch(URL, path)
    assert (names(path), path.with_name(name).read_text()) == ([name], "foreign")


@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize("gone", [True, False], ids=["nothing came", "something came"])
async def test_the_old_part_is_cleared_before_the_first_byte_is_stored(
    one: Downloader, remote: Remote, path: Path, gone: bool
) -> None:
    class Seeing(ScriptedBody):
        """A body that notes which files exist when it is read."""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            seen.append((names(path), part_of(path).stat().st_size))
            if not gone:
                yield remote.content[:1000]
            raise httpx.ReadError("reset")

    seen: list[tuple[list[str], int]] = []
    fields = {"ETag": '"c"', "Content-Length": str(len(remote.content))}
    remote.faults = [lambda remote, request: httpx.Response(200, headers=fields, stream=Seeing([])), refused(404)]
    with pytest.raises(FetchError):
        await one.fetch(OTHER, path)
    assert seen == [(["target.part"], 0)]
    assert names(path) == ([] if gone else ["target.part", "target.part.json"])
