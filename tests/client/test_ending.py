"""The files that a download leaves for each way to end, and how the next run continues."""

import asyncio
import os
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.process import descriptors

from async_downloads.client import Downloader, Progress
from async_downloads.client.disk.existing import resumable
from async_downloads.client.disk.part_file import PartFile
from async_downloads.client.disk.part_names import part_of
from async_downloads.errors import BadStatus, DigestMismatch, DiskError
from client.remote import URL, Remote, cut, names, refused, sha256

pytestmark = pytest.mark.usefixtures("quick")

DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


class Gone(Exception):
    """The listener's own error."""


def raising(state: str) -> Callable[[Progress], None]:
    """Return a listener that raises Gone for one state."""

    def listener(progress: Progress) -> None:
        if progress.state == state:
            raise Gone

    return listener


@pytest.fixture
async def complete(one: Downloader, remote: Remote, path: Path) -> None:
    """A complete part file that was not published."""
    with pytest.raises(Gone):
        await one.fetch(URL, path, checksum=sha256(remote.content), on_progress=raising("verifying"))
    assert names(path) == ["target.part", "target.part.json"]
    remote.requests.clear()


@pytest.mark.usefixtures("complete")
async def test_the_last_byte_of_a_complete_part_is_requested_again(one: Downloader, remote: Remote, path: Path) -> None:
    result = await one.fetch(URL, path)
    assert (result.resumed_from, result.transferred) == (len(remote.content) - 1, 1)
    (request,) = remote.requests
    assert (request.headers["if-range"], "want-repr-digest" in request.headers) == ('"a"', True)
    assert (path.read_bytes() == remote.content, names(path)) == (True, ["target"])


@pytest.mark.usefixtures("complete")
async def test_a_complete_part_of_an_old_version_is_replaced(one: Downloader, remote: Remote, path: Path) -> None:
    remote.etag, remote.content = '"b"', bytes(reversed(remote.content))
    result = await one.fetch(URL, path)
    assert (path.read_bytes() == remote.content, str(result.validators.etag)) == (True, '"b"')


@pytest.mark.usefixtures("complete")
async def test_the_servers_digest_of_a_complete_part_is_verified(one: Downloader, remote: Remote, path: Path) -> None:
    remote.fields["Repr-Digest"] = f"sha-256=:{b64encode(bytes(32)).decode()}:"
    with pytest.raises(DigestMismatch):
        await one.fetch(URL, path)
    assert names(path) == []


async def test_a_foreign_file_in_place_of_the_part_is_not_published(
    one: Downloader, remote: Remote, path: Path
) -> None:
    def swapping(progress: Progress) -> None:
        if progress.state == "verifying":
            part_of(path).unlink()
            part_of(path).write_text("foreign")

    path.write_text("old")
    with pytest.raises(DiskError, match=r"target\.part: another program has removed or replaced it"):
        await one.fetch(URL, path, checksum=sha256(remote.content), on_progress=swapping)
    assert (path.read_text(), part_of(path).read_text(), names(path)) == (
        "old",
        "foreign",
        ["target", "target.part"],
    )


async def test_an_error_of_the_listener_at_the_end_keeps_the_file(one: Downloader, remote: Remote, path: Path) -> None:
    with pytest.raises(Gone):
        await one.fetch(URL, path, on_progress=raising("finished"))
    assert (path.read_bytes() == remote.content, names(path)) == (True, ["target"])


async def test_cancelling_at_the_end_keeps_the_file(
    one: Downloader, remote: Remote, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, loop = PartFile.publish, asyncio.get_running_loop()

    def cancelled_meanwhile(part_file: PartFile, path: Path, *, replace: bool) -> bool:
        loop.call_soon_threadsafe(task.cancel)
        return publish(part_file, path, replace=replace)

    monkeypatch.setattr(PartFile, "publish", cancelled_meanwhile)
    task = asyncio.create_task(one.fetch(URL, path))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (path.read_bytes() == remote.content, names(path)) == (True, ["target"])


async def test_the_journal_of_a_later_download_is_kept(one: Downloader, remote: Remote, path: Path) -> None:
    journal = path.with_name("target.part.json")

    def beginning(progress: Progress) -> None:
        if progress.state == "finished":
            journal.write_text("foreign")

    await one.fetch(URL, path, on_progress=beginning)
    assert journal.read_text() == "foreign"


async def test_an_error_of_the_listener_for_an_unchanged_file_leaves_no_lock(
    one: Downloader, remote: Remote, path: Path
) -> None:
    await one.fetch(URL, path)
    with pytest.raises(Gone):
        await one.fetch(URL, path, on_progress=raising("finished"))
    held = [destination for destination in descriptors().values() if destination.startswith(str(path.parent))]
    assert (names(path), held) == (["target"], [])
    assert (await one.fetch(URL, path)).unchanged


async def test_bytes_that_the_disk_may_have_lost_are_fetched_again(
    one: Downloader, remote: Remote, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(DiskError, match="Input/output error"):
            await one.fetch(URL, path)
    assert names(path) == []
    assert (await one.fetch(URL, path)).transferred == len(remote.content)


@pytest.mark.parametrize("name", ["file.bin.part", "file.bin.part.json", "file.bin.PART.json.tmp"])
async def test_a_server_cannot_name_a_file_like_a_part_or_a_journal(
    one: Downloader, remote: Remote, path: Path, name: str
) -> None:
    remote.fields["Content-Disposition"] = f'attachment; filename="{name}"'
    assert (await one.fetch(URL, directory=path.parent)).path.name == f"{name}_"


@pytest.mark.parametrize(("url", "left"), [(URL, True), (f"{URL}?other", False)])
@pytest.mark.parametrize("named", [True, False], ids=["the user's name", "the server's name"])
async def test_resumable_says_whether_the_next_run_can_continue(
    one: Downloader, remote: Remote, path: Path, url: str, left: bool, named: bool
) -> None:
    destination = path if named else None
    assert not resumable(url, destination, path.parent)
    remote.faults = [cut(300_000), refused(404)]
    with pytest.raises(BadStatus):
        await one.fetch(URL, destination, directory=path.parent)
    assert resumable(url, destination, path.parent) == left


def test_a_path_that_cannot_be_a_file_is_not_resumable(path: Path) -> None:
    path.symlink_to(path)
    assert not resumable(URL, path, path.parent)


async def test_a_file_is_revalidated_by_its_date(one: Downloader, remote: Remote, path: Path) -> None:
    remote.etag, remote.fields["Last-Modified"] = None, DATE
    await one.fetch(URL, path)
    remote.faults = [refused(304)]
    assert (await one.fetch(URL, path)).unchanged
    assert remote.requests[-1].headers["if-modified-since"] == DATE


async def test_a_file_of_unknown_origin_is_not_revalidated_by_its_date(
    one: Downloader, remote: Remote, path: Path
) -> None:
    """A server responds with 304 to any later date, even if that is the date of another file."""
    path.write_text("foreign")
    os.utime(path, (0, 1_800_000_000))
    await one.fetch(URL, path)
    assert "if-modified-since" not in remote.requests[0].headers
    assert path.read_bytes() == remote.content
