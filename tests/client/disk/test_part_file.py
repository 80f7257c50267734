"""A part file: filled in any order, saved with its journal, and published when it is complete."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from async_downloads.client.decisions.spans import NOTHING, Spans
from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.client.disk.journal import Journal, Record
from async_downloads.client.disk.part_file import PartFile
from async_downloads.client.disk.part_names import journal_of, part_of
from async_downloads.errors import DiskError
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import Validators
from client.remote import names

VERSION = RemoteVersion(6, Validators(ETag("a"), 1_700_000_000), '"a"')


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The target of the download."""
    return tmp_path / "file.bin"


async def test_bytes_can_be_written_in_any_order(part_file: PartFile) -> None:
    await part_file.write([(3, [b"d", b"ef"])])
    await part_file.write([(0, [b"abc"])])
    assert part_file.part.read_bytes() == b"abcdef"


async def test_a_complete_file_gets_its_name_and_the_last_modified_time(part_file: PartFile, path: Path) -> None:
    await part_file.write([(0, [b"abcdef and more of an older version"])])
    part_file.complete(VERSION)
    assert part_file.publish(path, replace=True)
    assert (path.read_bytes(), path.stat().st_mtime, names(path)) == (b"abcdef", 1_700_000_000, ["file.bin"])


async def test_without_last_modified_the_time_is_that_of_the_write(part_file: PartFile) -> None:
    part_file.complete(RemoteVersion(0))
    assert part_file.part.stat().st_mtime > 1_700_000_000


def test_the_mode_of_a_part_respects_the_umask(path: Path) -> None:
    before = os.umask(0o027)
    try:
        part_file = PartFile(path, "u")
    finally:
        os.umask(before)
    assert stat.S_IMODE(part_file.part.stat().st_mode) == 0o640
    part_file.close()


def test_an_older_file_stays_until_the_new_one_is_published(path: Path) -> None:
    path.write_text("old")
    part_file = PartFile(path, "u")
    assert path.read_text() == "old"
    part_file.complete(RemoteVersion(0))
    assert part_file.publish(path, replace=True)
    assert path.read_text() == ""
    part_file.close()


@pytest.mark.parametrize("links", [True, False], ids=["by a link", "where there are none"])
def test_publishing_without_replace_never_replaces_a_file(
    part_file: PartFile, path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", _no_links)
    path.write_text("old")
    part_file.complete(RemoteVersion(0))
    assert not part_file.publish(path, replace=False)
    assert part_file.publish(other := path.with_name("other"), replace=False)
    assert (path.read_text(), other.read_text(), part_file.part.exists()) == ("old", "", False)


def _no_links(self: Path, other: Path) -> None:
    raise PermissionError("this file system has no links")


def _raise(error: Exception) -> Callable[..., None]:
    def function(*args: object) -> None:
        raise error

    return function


async def test_a_part_with_a_journal_can_be_resumed(path: Path) -> None:
    record = Record(VERSION, Spans.of([(0, 3)]))
    part_file = PartFile(path, "u")
    await part_file.write([(0, [b"abc"])])
    part_file.save(record)
    part_file.close()
    part_file = PartFile(path, "u")
    assert (part_file.resume(), part_file.part.read_bytes()) == (record, b"abc")
    part_file.close()


@pytest.mark.parametrize(
    ("url", "held", "part"),
    [
        pytest.param("other", (0, 3), b"abc", id="another URL"),
        pytest.param("u", (0, 3), b"ab", id="the part is shorter"),
        pytest.param("u", (0, 0), b"abc", id="nothing is held"),
    ],
)
async def test_a_part_that_does_not_fit_its_journal_stays_until_it_is_cleared(
    path: Path, url: str, held: tuple[int, int], part: bytes
) -> None:
    part_file = PartFile(path, "u")
    await part_file.write([(0, [part])])
    part_file.save(Record(VERSION, Spans.of([held])))
    part_file.close()
    part_file = PartFile(path, url)
    assert (part_file.resume(), part_file.part.read_bytes()) == (None, part)
    part_file.close()
    assert names(path) == ["file.bin.part", "file.bin.part.json"]
    part_file = PartFile(path, url)
    part_file.clear()
    assert (part_file.part.read_bytes(), names(path)) == (b"", ["file.bin.part"])
    part_file.close()


async def test_a_complete_part_is_resumed_without_its_last_byte(path: Path) -> None:
    part_file, held = PartFile(path, "u"), Spans.of([(0, 6)])
    await part_file.write([(0, [b"abcdef"])])
    part_file.save(Record(VERSION, held, held))
    part_file.close()
    part_file = PartFile(path, "u")
    assert part_file.resume() == Record(VERSION, Spans.of([(0, 5)]), Spans.of([(0, 5)]))
    part_file.close()


async def test_clearing_a_part_deletes_its_journal(path: Path) -> None:
    part_file = PartFile(path, "u")
    part_file.save(Record(VERSION, Spans.of([(0, 3)])))
    part_file.clear()
    await part_file.write([(0, [b"xyz"])])
    assert part_file.resume() is None
    part_file.close()


def test_discarding_deletes_part_and_journal(part_file: PartFile, path: Path) -> None:
    part_file.save(Record(VERSION, Spans.of([(0, 3)])))
    part_file.discard()
    assert names(path) == []
    part_file.discard()


def test_a_published_file_is_not_discarded(part_file: PartFile, path: Path) -> None:
    assert part_file.publish(path, replace=True)
    part_file.discard()
    assert names(path) == ["file.bin"]


def test_the_part_of_a_later_download_is_not_discarded(part_file: PartFile, path: Path) -> None:
    assert part_file.publish(path, replace=True)
    others = [part_of(path), journal_of(path)]
    for each in others:
        each.write_text("other")
    part_file.discard()
    assert [each.read_text() for each in others] == ["other"] * 2


def test_closing_deletes_an_empty_part(path: Path) -> None:
    PartFile(path, "u").close()
    assert names(path) == []


@pytest.mark.parametrize(("url", "left"), [("u", []), ("v", ["file.bin.part.json"])])
def test_closing_an_empty_part_deletes_its_journal(path: Path, url: str, left: list[str]) -> None:
    Journal(journal_of(path), url).save(Record(VERSION, Spans.of([(0, 3)])))
    PartFile(path, "u").close()
    assert names(path) == left


def _removed(part: Path) -> None:
    part.unlink()


def _replaced(part: Path) -> None:
    part.unlink()
    part.write_text("other")


@pytest.mark.parametrize("meanwhile", [_removed, _replaced])
@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda part_file: part_file.publish(part_file.path, replace=True), id="replacing"),
        pytest.param(lambda part_file: part_file.publish(part_file.path, replace=False), id="by a link"),
        pytest.param(lambda part_file: part_file.save(Record(VERSION, NOTHING)), id="saved"),
        pytest.param(lambda part_file: part_file.clear(), id="cleared"),
    ],
)
def test_a_part_that_was_replaced_is_not_used(
    part_file: PartFile, path: Path, meanwhile: Callable[[Path], None], use: Callable[[PartFile], object]
) -> None:
    meanwhile(part_file.part)
    left = names(path)
    with pytest.raises(DiskError, match="has removed or replaced it"):
        use(part_file)
    assert names(path) == left


@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
def test_after_a_failed_flush_every_later_flush_fails(
    part_file: PartFile, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, call, _raise(OSError(5, "Input/output error")))
        with pytest.raises(DiskError, match="Input/output error"):
            part_file.complete(VERSION) if call == "fsync" else part_file.flush()
    with pytest.raises(DiskError, match="Input/output error"):
        part_file.flush()
    with pytest.raises(DiskError, match="Input/output error"):
        part_file.complete(VERSION)


def test_reserving_more_space_than_the_disk_has_is_a_disk_error(part_file: PartFile) -> None:
    part_file.require_space(1)
    with pytest.raises(DiskError, match="the disk has room for"):
        part_file.require_space(2**62)


async def test_the_space_of_a_truncated_part_counts_as_free(
    part_file: PartFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    await part_file.write([(0, [bytes(range(256)) * 256])])
    part_file.flush()
    full = os.statvfs_result((4096, 4096, 1000, 0, 0, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "fstatvfs", lambda _: full)
    part_file.require_space(4096, truncates=True)
    with pytest.raises(DiskError, match="the disk has room for 0"):
        part_file.require_space(4096)


async def test_a_write_to_a_full_disk_is_a_disk_error(part_file: PartFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwritev", _raise(OSError(28, "No space left on device")))
    with pytest.raises(DiskError, match=r"file.bin.part: No space left on device"):
        await part_file.write([(0, [b"abc"])])


def test_a_part_can_be_flushed(part_file: PartFile) -> None:
    part_file.flush()


def test_publishing_succeeds_even_if_the_journal_cannot_be_deleted(part_file: PartFile, path: Path) -> None:
    part_file.part.with_name("file.bin.part.json").mkdir()
    assert part_file.publish(path, replace=True)


def test_a_part_can_be_truncated(part_file: PartFile) -> None:
    part_file.truncate(5)
    assert part_file.part.stat().st_size == 5
