"""The part of an earlier download is kept until another body arrives to be stored."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from async_downloads.client import Downloader
from async_downloads.client.disk.part_names import journal_of, part_of
from async_downloads.errors import DiskError, FetchError, RetriesExhausted
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
    with pytest.raises(DiskError, match="the disk has room for"):
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


@pytest.mark.parametrize("gone", [True, False], ids=["nothing came", "something came"])
async def test_the_old_part_stays_beside_the_new_one_until_that_is_complete(
    one: Downloader, remote: Remote, path: Path, begun: tuple[bytes, bytes], gone: bool
) -> None:
    class Seeing(ScriptedBody):
        """A body that notes which files exist when it is read."""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            seen.append((names(path), part_of(path, new=True).stat().st_size))
            if not gone:
                yield remote.content[:1000]
            raise httpx.ReadError("reset")

    seen: list[tuple[list[str], int]] = []
    fields = {"ETag": '"c"', "Content-Length": str(len(remote.content))}
    remote.faults = [lambda remote, request: httpx.Response(200, headers=fields, stream=Seeing([])), refused(404)]
    with pytest.raises(FetchError):
        await one.fetch(OTHER, path)
    assert seen == [(["target.part", "target.part.json", "target.part.new"], 0)]
    assert _kept(path) == begun
    assert names(path)[2:] == ([] if gone else ["target.part.new", "target.part.new.json"])


def _version(remote: Remote, etag: str, byte: bytes) -> None:
    """Give the server another version of the same size."""
    remote.etag, remote.content = etag, byte * len(remote.content)


@pytest.mark.usefixtures("begun")
async def test_the_next_run_goes_on_with_the_part_of_either_version(
    one: Downloader, remote: Remote, path: Path
) -> None:
    old = remote.content
    _version(remote, '"b"', b"b")
    remote.faults = [None, cut(1000), refused(404)]
    with pytest.raises(FetchError):
        await one.fetch(URL, path)
    kept = names(path)
    assert kept == ["target.part", "target.part.json", "target.part.new", "target.part.new.json"]
    remote.etag, remote.content = '"a"', old
    assert (await one.fetch(URL, path)).resumed_from == HELD
    assert (path.read_bytes() == old, names(path)) == (True, ["target"])


@pytest.mark.usefixtures("begun")
async def test_the_next_run_goes_on_with_the_new_version(one: Downloader, remote: Remote, path: Path) -> None:
    _version(remote, '"b"', b"b")
    remote.faults = [None, cut(1000), refused(404)]
    with pytest.raises(FetchError):
        await one.fetch(URL, path)
    assert (await one.fetch(URL, path)).resumed_from == 1000
    assert (path.read_bytes() == remote.content, names(path)) == (True, ["target"])


async def test_a_version_that_returns_within_one_run_comes_in_one_stream(
    one: Downloader, remote: Remote, path: Path
) -> None:
    old = remote.content

    def back(remote: Remote, request: httpx.Request) -> httpx.Response:
        remote.etag, remote.content = '"a"', old
        return remote.respond(request)

    def other(remote: Remote, request: httpx.Request) -> httpx.Response:
        remote.etag, remote.content = '"b"', b"b" * (len(old) + 1)
        return remote.respond(request)

    remote.etag = '"a"'
    remote.faults = [cut(HELD), other, cut(1000), back]
    await one.fetch(URL, path)
    assert "range" not in remote.requests[-1].headers
    assert (path.read_bytes() == old, names(path)) == (True, ["target"])


@pytest.mark.usefixtures("begun")
async def test_of_three_versions_the_part_with_the_most_bytes_is_kept(
    one: Downloader, remote: Remote, path: Path
) -> None:
    old = remote.content
    for number in range(3):
        _version(remote, f'"{number}"', b"%d" % number)
        remote.faults = [None, cut(1000 + number), refused(404)]
        with pytest.raises(FetchError):
            await one.fetch(URL, path)
    remote.etag, remote.content = '"a"', old
    assert (await one.fetch(URL, path)).resumed_from == HELD


@pytest.mark.usefixtures("begun")
async def test_a_disk_without_room_for_both_versions_loses_the_old_one(
    one: Downloader, remote: Remote, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = os.statvfs(path.parent)
    fields = list(disk)
    fields[4] = (len(remote.content) - HELD // 2) // disk.f_frsize  # f_bavail
    monkeypatch.setattr(os, "fstatvfs", lambda fd: os.statvfs_result(fields))
    _version(remote, '"b"', b"b")
    remote.faults = [None, cut(1000), refused(404)]
    with pytest.raises(FetchError):
        await one.fetch(URL, path)
    assert names(path) == ["target.part", "target.part.json"]
    assert part_of(path).stat().st_size == 1000


@pytest.mark.usefixtures("begun")
async def test_a_disk_that_becomes_full_loses_the_old_version(
    one: Downloader, remote: Remote, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pwritev(fd: int, buffers: list[bytes], offset: int) -> int:
        if part_of(path).exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, buffers, offset)

    real = os.pwritev
    monkeypatch.setattr(os, "pwritev", pwritev)
    _version(remote, '"b"', b"b")
    await one.fetch(URL, path)
    assert (path.read_bytes() == remote.content, names(path)) == (True, ["target"])


async def test_another_program_has_the_name_of_the_new_part(
    one: Downloader, remote: Remote, path: Path, begun: tuple[bytes, bytes]
) -> None:
    foreign = part_of(path, new=True)
    foreign.write_text("foreign")
    _version(remote, '"b"', b"b")
    await one.fetch(URL, path)
    assert (path.read_bytes() == remote.content, foreign.read_text()) == (True, "foreign")


PAGE = with_fields(Content_Type="text/html")


@pytest.mark.parametrize("old", [b"PK\x03\x04 a file", b"text"])
async def test_a_page_never_replaces_a_complete_file(one: Downloader, remote: Remote, path: Path, old: bytes) -> None:
    path.write_bytes(old)
    remote.faults = [PAGE] * 6
    with pytest.raises(RetriesExhausted, match="target is no page and is kept"):
        await one.fetch(URL, path)
    assert (path.read_bytes(), names(path)) == (old, ["target"])


@pytest.mark.parametrize("old", [b"", b"\xef\xbb\xbf\n<!doctype html>"])
async def test_a_page_replaces_a_page_and_an_empty_file(
    one: Downloader, remote: Remote, path: Path, old: bytes
) -> None:
    path.write_bytes(old)
    remote.faults = [PAGE]
    await one.fetch(URL, path)
    assert path.read_bytes() == remote.content
