"""Where a download goes, and how it treats files that are already there."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from async_downloads.client import Downloader, Progress
from async_downloads.errors import (
    BadStatus,
    DiskError,
    RetriesExhausted,
    TargetBusy,
)
from client.remote import MIB, URL, Remote, ScriptedBody, cut, names, refused

pytestmark = pytest.mark.usefixtures("quick")

DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


async def test_without_resume_a_download_starts_over(one: Downloader, remote: Remote, path: Path) -> None:
    remote.faults = [cut(300_000), *[refused(503)] * 6]
    with pytest.raises(RetriesExhausted):
        await one.fetch(URL, path)
    result = await one.fetch(URL, path, resume=False)
    assert (result.resumed_from, result.transferred) == (0, len(remote.content))
    result = await one.fetch(URL, path, resume=False)
    assert not result.unchanged


@pytest.mark.parametrize("fields", [{"ETag": '"a"'}, {"ETag": 'W/"a"'}, {"Last-Modified": DATE}])
async def test_a_second_download_is_unchanged(
    four: Downloader, remote: Remote, path: Path, fields: dict[str, str]
) -> None:
    remote.etag, remote.fields = fields.get("ETag"), fields
    await four.fetch(URL, path)
    inode, asked = path.stat().st_ino, len(remote.requests)
    heard: list[Progress] = []
    result = await four.fetch(URL, path, on_progress=heard.append)
    assert (result.unchanged, result.transferred, result.resumed_from) == (True, 0, len(remote.content))
    assert (len(remote.requests), path.stat().st_ino, names(path)) == (asked + 1, inode, ["target"])
    assert (heard[-1].state, heard[-1].done) == ("finished", len(remote.content))


async def test_a_file_that_was_changed_locally_is_downloaded_again(
    four: Downloader, remote: Remote, path: Path
) -> None:
    await four.fetch(URL, path)
    path.write_bytes(bytes(len(remote.content)))
    assert not (await four.fetch(URL, path)).unchanged
    assert path.read_bytes() == remote.content


async def test_a_file_that_was_changed_on_the_server_is_downloaded_again(
    four: Downloader, remote: Remote, path: Path
) -> None:
    await four.fetch(URL, path)
    remote.etag, remote.content = '"b"', b"new"
    assert not (await four.fetch(URL, path)).unchanged
    assert path.read_bytes() == b"new"


async def test_the_server_names_the_file(four: Downloader, remote: Remote, path: Path) -> None:
    remote.fields["Content-Disposition"] = 'attachment; filename="../../report.pdf"'
    result = await four.fetch(URL, directory=path.parent)
    assert (result.path, names(path)) == (path.with_name("report.pdf"), ["report.pdf"])
    assert (await four.fetch(URL, directory=path.parent)).unchanged


async def test_without_a_suggestion_the_url_names_the_file(four: Downloader, remote: Remote, path: Path) -> None:
    assert (await four.fetch(URL, directory=path.parent)).path == path.with_name("file.bin")
    result = await four.fetch(URL, directory=path.parent)
    assert (result.unchanged, len(remote.requests)) == (True, 2)


@pytest.mark.parametrize(("overwrite", "name"), [(False, "file (1).bin"), (True, "file.bin")])
async def test_a_name_of_the_server_replaces_a_file_only_with_overwrite(
    one: Downloader, remote: Remote, path: Path, overwrite: bool, name: str
) -> None:
    path.with_name("file.bin").write_text("other")
    result = await one.fetch(URL, directory=path.parent, overwrite=overwrite)
    assert (result.path.name, result.path.read_bytes() == remote.content) == (name, True)
    assert overwrite or path.with_name("file.bin").read_text() == "other"


async def test_a_name_that_is_taken_during_the_download_gets_a_number(
    one: Downloader, remote: Remote, path: Path
) -> None:
    def meanwhile(progress: Progress) -> None:
        if progress.state == "downloading":
            path.with_name("file.bin").write_text("other")

    result = await one.fetch(URL, directory=path.parent, on_progress=meanwhile)
    assert (result.path.name, names(path)) == ("file (1).bin", ["file (1).bin", "file.bin"])


async def test_an_unfinished_file_is_found_under_any_name(one: Downloader, remote: Remote, path: Path) -> None:
    remote.fields["Content-Disposition"] = "attachment; filename=other.bin"
    remote.faults = [cut(300_000), *[refused(503)] * 6]
    with pytest.raises(RetriesExhausted):
        await one.fetch(URL, directory=path.parent)
    assert names(path) == ["other.bin.part", "other.bin.part.json"]
    result = await one.fetch(URL, directory=path.parent)
    assert (result.resumed_from, names(path)) == (300_000, ["other.bin"])


async def test_the_default_directory_is_the_working_directory(
    one: Downloader, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    await one.fetch(URL)
    assert names(path) == ["file.bin"]


@pytest.mark.parametrize("where", [{"path": "none/file"}, {"directory": "none"}, {"path": "."}])
async def test_an_impossible_path_fails_before_the_first_request(
    one: Downloader, remote: Remote, path: Path, where: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    with pytest.raises(DiskError):
        await one.fetch(URL, **where)  # type: ignore[arg-type]
    assert (remote.requests, names(path)) == ([], [])


async def test_a_full_disk_ends_the_download_and_the_part_is_kept(
    one: Downloader, remote: Remote, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.content *= 2  # more than one batch
    pwritev = os.pwritev

    def full(fd: int, buffers: list[bytes], offset: int) -> int:
        if offset > MIB:
            raise OSError(28, "No space left on device")
        return pwritev(fd, buffers, offset)

    monkeypatch.setattr(os, "pwritev", full)
    with pytest.raises(DiskError, match="No space left"):
        await one.fetch(URL, path)
    monkeypatch.undo()
    assert (await one.fetch(URL, path)).resumed_from >= MIB
    assert path.read_bytes() == remote.content


async def test_a_second_download_to_the_same_target_is_busy(one: Downloader, remote: Remote, path: Path) -> None:
    requested, second_failed = asyncio.Event(), asyncio.Event()

    class Waiting(ScriptedBody):
        """A body that arrives after the second download has failed."""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            requested.set()
            await second_failed.wait()
            yield remote.content

    remote.faults = [lambda remote, request: httpx.Response(200, stream=Waiting([]))]
    first = asyncio.create_task(one.fetch(URL, path))
    await requested.wait()
    (second,) = await one.fetch_all([(URL, path)])
    assert isinstance(second, TargetBusy)
    second_failed.set()
    await first
    assert path.read_bytes() == remote.content


@pytest.mark.usefixtures("still")  # otherwise a slow run saves the journal earlier
async def test_an_error_while_closing_does_not_hide_the_first_error(
    one: Downloader, remote: Remote, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise DiskError("full")

    remote.faults = [cut(300_000), refused(404)]
    monkeypatch.setattr("async_downloads.client.disk.part_file.PartFile.save", full)
    with pytest.raises(BadStatus):
        await one.fetch(URL, path)


async def test_downloads_with_one_name_at_the_same_time_get_numbers(
    one: Downloader, remote: Remote, path: Path
) -> None:
    results = await asyncio.gather(*(one.fetch(f"{URL}?{number}", directory=path.parent) for number in range(3)))
    assert names(path) == sorted(result.path.name for result in results)
    assert names(path) == ["file (1).bin", "file (2).bin", "file.bin"]


@pytest.mark.parametrize("name", ["file.bin.part", "file.bin.part.json"])
async def test_a_leftover_journal_takes_a_name_and_a_leftover_part_does_not(
    one: Downloader, remote: Remote, path: Path, name: str
) -> None:
    path.with_name(name).touch()
    result = await one.fetch(URL, directory=path.parent)
    assert result.path.name == ("file.bin" if name.endswith(".part") else "file (1).bin")


async def test_a_directory_with_the_name_of_a_part_takes_a_name(one: Downloader, remote: Remote, path: Path) -> None:
    path.with_name("file.bin.part").mkdir()
    assert (await one.fetch(URL, directory=path.parent)).path.name == "file (1).bin"


async def test_a_copy_with_the_time_of_last_modified_is_complete(one: Downloader, remote: Remote, path: Path) -> None:
    remote.etag, remote.fields = None, {"Last-Modified": DATE}
    path.write_bytes(remote.content)
    os.utime(path, ns=(0, 1_700_000_000_123_456_789))
    assert (await one.fetch(URL, path, timestamping=True)).unchanged
    assert not (await one.fetch(URL, path)).unchanged


async def test_a_file_of_the_same_size_and_time_from_elsewhere_is_replaced_at_a_given_path(
    one: Downloader, remote: Remote, path: Path
) -> None:
    remote.etag, remote.fields = None, {"Last-Modified": DATE}
    path.write_bytes(bytes(len(remote.content)))
    os.utime(path, ns=(0, 1_700_000_000_000_000_000))
    assert not (await one.fetch(URL, path)).unchanged
    assert path.read_bytes() == remote.content


async def test_a_file_of_another_url_is_replaced(one: Downloader, remote: Remote, path: Path) -> None:
    remote.etag, remote.fields = None, {"Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT"}
    await one.fetch(URL, path)
    assert not (await one.fetch(f"{URL}?other", path)).unchanged


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o4711])
async def test_the_new_file_has_the_permissions_of_the_old_one(one: Downloader, path: Path, mode: int) -> None:
    path.write_text("old")
    path.chmod(mode)
    await one.fetch(URL, path)
    assert path.stat().st_mode & 0o7777 == mode & 0o777


async def test_without_its_date_a_file_has_the_current_time(one: Downloader, remote: Remote, path: Path) -> None:
    remote.fields = {"Last-Modified": DATE}
    await one.fetch(URL, path)
    assert path.stat().st_mtime == 1_700_000_000
    await one.fetch(f"{URL}?again", path, dated=False)
    assert path.stat().st_mtime > 1_700_000_000
    assert (await one.fetch(f"{URL}?again", path, dated=False)).unchanged
