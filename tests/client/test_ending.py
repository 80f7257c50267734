"""What a download leaves, whatever ends it, and how the next one goes on with that."""

import asyncio
import os
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.process import descriptors

from async_downloads.client import Downloader, Progress
from async_downloads.client.disk.existing import resumable
from async_downloads.client.disk.part_file import PartFile, part_of
from async_downloads.errors import BadStatus, DigestMismatch, DiskError
from client.remote import URL, Remote, cut, names, refused, sha256

pytestmark = pytest.mark.usefixtures("quick")

DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


class Gone(Exception):
    """The listener has had enough."""


def raising(state: str) -> Callable[[Progress], None]:
    """A listener that does not want to hear of a state."""

    def listener(progress: Progress) -> None:
        if progress.state == state:
            raise Gone

    return listener


@pytest.fixture
async def complete(one: Downloader, remote: Remote, path: Path) -> None:
    """All of the file is there but its name."""
    with pytest.raises(Gone):
        await one.fetch(URL, path, checksum=sha256(remote.content), on_progress=raising("verifying"))
    assert names(path) == ["target.part", "target.part.json"]
    remote.requests.clear()


@pytest.mark.usefixtures("complete")
async def test_what_is_complete_but_for_its_name_is_asked_about_by_its_last_byte(
    one: Downloader, remote: Remote, path: Path
) -> None:
    result = await one.fetch(URL, path)
    assert (result.resumed_from, result.transferred) == (len(remote.content) - 1, 1)
    (request,) = remote.requests
    assert (request.headers["if-range"], "want-repr-digest" in request.headers) == ('"a"', True)
    assert (path.read_bytes() == remote.content, names(path)) == (True, ["target"])


@pytest.mark.usefixtures("complete")
async def test_when_that_was_replaced_the_new_version_is_fetched(one: Downloader, remote: Remote, path: Path) -> None:
    remote.etag, remote.content = '"b"', bytes(reversed(remote.content))
    result = await one.fetch(URL, path)
    assert (path.read_bytes() == remote.content, str(result.validators.etag)) == (True, '"b"')


@pytest.mark.usefixtures("complete")
async def test_the_digest_of_the_server_is_verified_then_too(one: Downloader, remote: Remote, path: Path) -> None:
    remote.fields["Repr-Digest"] = f"sha-256=:{b64encode(bytes(32)).decode()}:"
    with pytest.raises(DigestMismatch):
        await one.fetch(URL, path)
    assert names(path) == []


async def test_another_file_in_the_place_of_the_part_is_not_taken_for_it(
    one: Downloader, remote: Remote, path: Path
) -> None:
    def swapping(progress: Progress) -> None:
        if progress.state == "verifying":
            part_of(path).unlink()
            part_of(path).write_text("somebody's")

    path.write_text("old")
    with pytest.raises(DiskError, match=r"target\.part: was removed or replaced"):
        await one.fetch(URL, path, checksum=sha256(remote.content), on_progress=swapping)
    assert (path.read_text(), part_of(path).read_text(), names(path)) == (
        "old",
        "somebody's",
        ["target", "target.part"],
    )


async def test_a_listener_that_raises_at_the_end_leaves_the_file(one: Downloader, remote: Remote, path: Path) -> None:
    with pytest.raises(Gone):
        await one.fetch(URL, path, on_progress=raising("finished"))
    assert (path.read_bytes() == remote.content, names(path)) == (True, ["target"])


async def test_cancelled_at_the_end_it_leaves_the_file(
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


async def test_what_another_download_has_begun_since_is_left_alone(one: Downloader, remote: Remote, path: Path) -> None:
    journal = path.with_name("target.part.json")

    def beginning(progress: Progress) -> None:
        if progress.state == "finished":
            journal.write_text("somebody's")

    await one.fetch(URL, path, on_progress=beginning)
    assert journal.read_text() == "somebody's"


async def test_a_listener_that_raises_when_nothing_is_new_leaves_no_lock(
    one: Downloader, remote: Remote, path: Path
) -> None:
    await one.fetch(URL, path)
    with pytest.raises(Gone):
        await one.fetch(URL, path, on_progress=raising("finished"))
    held = [destination for destination in descriptors().values() if destination.startswith(str(path.parent))]
    assert (names(path), held) == (["target"], [])
    assert (await one.fetch(URL, path)).unchanged


async def test_what_the_disk_may_have_dropped_is_fetched_again(
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
async def test_a_server_cannot_plant_a_download_of_another_url(
    one: Downloader, remote: Remote, path: Path, name: str
) -> None:
    remote.fields["Content-Disposition"] = f'attachment; filename="{name}"'
    assert (await one.fetch(URL, directory=path.parent)).path.name == f"{name}_"


@pytest.mark.parametrize(("url", "left"), [(URL, True), (f"{URL}?other", False)])
@pytest.mark.parametrize("named", [True, False], ids=["the user's name", "the server's name"])
async def test_it_is_known_whether_the_next_one_can_go_on(
    one: Downloader, remote: Remote, path: Path, url: str, left: bool, named: bool
) -> None:
    destination = path if named else None
    assert not resumable(url, destination, path.parent)
    remote.faults = [cut(300_000), refused(404)]
    with pytest.raises(BadStatus):
        await one.fetch(URL, destination, directory=path.parent)
    assert resumable(url, destination, path.parent) == left


def test_where_no_file_can_be_nothing_is_left(path: Path) -> None:
    path.symlink_to(path)
    assert not resumable(URL, path, path.parent)


async def test_by_its_date_a_file_is_asked_about_too(one: Downloader, remote: Remote, path: Path) -> None:
    remote.etag, remote.fields["Last-Modified"] = None, DATE
    await one.fetch(URL, path)
    remote.faults = [refused(304)]
    assert (await one.fetch(URL, path)).unchanged
    assert remote.requests[-1].headers["if-modified-since"] == DATE


async def test_but_not_by_a_date_that_is_guessed(one: Downloader, remote: Remote, path: Path) -> None:
    """Servers say of any later date that nothing is newer, and it may be that of another file."""
    path.write_text("somebody's")
    os.utime(path, (0, 1_800_000_000))
    await one.fetch(URL, path)
    assert "if-modified-since" not in remote.requests[0].headers
    assert path.read_bytes() == remote.content
