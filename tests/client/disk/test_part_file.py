"""The file that a download goes to: locked, filled in any order, and given its name when it is whole."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from async_downloads.client.decisions.spans import NOTHING, Spans
from async_downloads.client.decisions.version import Version
from async_downloads.client.disk.journal import Journal, Record
from async_downloads.client.disk.part_file import Target, journal_of, part_of
from async_downloads.errors import DiskError
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import Validators
from client.remote import names

VERSION = Version(6, Validators(ETag("a"), 1_700_000_000), '"a"')


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be."""
    return tmp_path / "file.bin"


async def test_bytes_come_in_any_order(target: Target) -> None:
    await target.write([(3, [b"d", b"ef"])])
    await target.write([(0, [b"abc"])])
    assert target.part.read_bytes() == b"abcdef"


async def test_a_whole_file_gets_its_name_and_the_time_of_its_version(target: Target, path: Path) -> None:
    await target.write([(0, [b"abcdef and more of an older version"])])
    target.complete(VERSION)
    assert target.place(path, replace=True)
    assert (path.read_bytes(), path.stat().st_mtime, names(path)) == (b"abcdef", 1_700_000_000, ["file.bin"])


async def test_without_a_date_the_time_is_that_of_writing(target: Target) -> None:
    target.complete(Version(0))
    assert target.part.stat().st_mtime > 1_700_000_000


def test_a_part_has_the_mode_that_the_umask_leaves(path: Path) -> None:
    before = os.umask(0o027)
    try:
        target = Target(path, "u")
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.part.stat().st_mode) == 0o640
    target.close()


def test_an_older_file_stays_until_the_new_one_is_whole(path: Path) -> None:
    path.write_text("old")
    target = Target(path, "u")
    assert path.read_text() == "old"
    target.complete(Version(0))
    assert target.place(path, replace=True)
    assert path.read_text() == ""
    target.close()


@pytest.mark.parametrize("links", [True, False], ids=["by a link", "where there are none"])
def test_a_name_that_is_taken_is_not_taken_away(
    target: Target, path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", _no_links)
    path.write_text("old")
    target.complete(Version(0))
    assert not target.place(path, replace=False)
    assert target.place(other := path.with_name("other"), replace=False)
    assert (path.read_text(), other.read_text(), target.part.exists()) == ("old", "", False)


def _no_links(self: Path, other: Path) -> None:
    raise PermissionError("this file system has no links")


def _raise(error: Exception) -> Callable[..., None]:
    def function(*args: object) -> None:
        raise error

    return function


async def test_what_a_part_holds_is_taken_up_again(path: Path) -> None:
    record = Record(VERSION, Spans.of([(0, 3)]))
    target = Target(path, "u")
    await target.write([(0, [b"abc"])])
    target.save(record)
    target.close()
    target = Target(path, "u")
    assert (target.resume(), target.part.read_bytes()) == (record, b"abc")
    target.close()


@pytest.mark.parametrize(
    ("url", "held", "part"),
    [
        pytest.param("other", (0, 3), b"abc", id="another URL"),
        pytest.param("u", (0, 3), b"ab", id="the part is shorter"),
        pytest.param("u", (0, 0), b"abc", id="nothing is held"),
    ],
)
async def test_what_does_not_fit_is_of_no_use_and_stays_until_it_is_cleared(
    path: Path, url: str, held: tuple[int, int], part: bytes
) -> None:
    target = Target(path, "u")
    await target.write([(0, [part])])
    target.save(Record(VERSION, Spans.of([held])))
    target.close()
    target = Target(path, url)
    assert (target.resume(), target.part.read_bytes()) == (None, part)
    target.close()
    assert names(path) == ["file.bin.part", "file.bin.part.json"]
    target = Target(path, url)
    target.clear()
    assert (target.part.read_bytes(), names(path)) == (b"", ["file.bin.part"])
    target.close()


async def test_of_what_is_whole_the_last_byte_is_still_asked_for(path: Path) -> None:
    target, held = Target(path, "u"), Spans.of([(0, 6)])
    await target.write([(0, [b"abcdef"])])
    target.save(Record(VERSION, held, held))
    target.close()
    target = Target(path, "u")
    assert target.resume() == Record(VERSION, Spans.of([(0, 5)]), Spans.of([(0, 5)]))
    target.close()


async def test_a_journal_does_not_outlive_its_bytes(path: Path) -> None:
    target = Target(path, "u")
    target.save(Record(VERSION, Spans.of([(0, 3)])))
    target.clear()
    await target.write([(0, [b"xyz"])])
    assert target.resume() is None
    target.close()


def test_what_is_discarded_is_gone(target: Target, path: Path) -> None:
    target.save(Record(VERSION, Spans.of([(0, 3)])))
    target.discard()
    assert names(path) == []
    target.discard()


def test_what_has_its_name_is_not_discarded(target: Target, path: Path) -> None:
    assert target.place(path, replace=True)
    target.discard()
    assert names(path) == ["file.bin"]


def test_nor_is_what_somebody_else_has_begun_since(target: Target, path: Path) -> None:
    assert target.place(path, replace=True)
    others = [part_of(path), journal_of(path)]
    for each in others:
        each.write_text("somebody's")
    target.discard()
    assert [each.read_text() for each in others] == ["somebody's"] * 2


def test_a_part_with_nothing_in_it_is_not_left(path: Path) -> None:
    Target(path, "u").close()
    assert names(path) == []


@pytest.mark.parametrize(("url", "left"), [("u", []), ("v", ["file.bin.part.json"])])
def test_nor_is_the_journal_of_one_unless_it_is_of_another_url(path: Path, url: str, left: list[str]) -> None:
    Journal(journal_of(path), url).save(Record(VERSION, Spans.of([(0, 3)])))
    Target(path, "u").close()
    assert names(path) == left


def _removed(part: Path) -> None:
    part.unlink()


def _replaced(part: Path) -> None:
    part.unlink()
    part.write_text("somebody's")


@pytest.mark.parametrize("meanwhile", [_removed, _replaced])
@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda target: target.place(target.path, replace=True), id="replacing"),
        pytest.param(lambda target: target.place(target.path, replace=False), id="by a link"),
        pytest.param(lambda target: target.save(Record(VERSION, NOTHING)), id="written down"),
        pytest.param(lambda target: target.clear(), id="cleared"),
    ],
)
def test_no_other_file_is_taken_for_the_part(
    target: Target, path: Path, meanwhile: Callable[[Path], None], use: Callable[[Target], object]
) -> None:
    meanwhile(target.part)
    left = names(path)
    with pytest.raises(DiskError, match="was removed or replaced"):
        use(target)
    assert names(path) == left


@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
def test_a_flush_that_failed_is_not_believed_when_it_is_tried_again(
    target: Target, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, call, _raise(OSError(5, "Input/output error")))
        with pytest.raises(DiskError, match="Input/output error"):
            target.complete(VERSION) if call == "fsync" else target.flush()
    with pytest.raises(DiskError, match="Input/output error"):
        target.flush()
    with pytest.raises(DiskError, match="Input/output error"):
        target.complete(VERSION)


def test_a_disk_without_room_is_told_before_anything_is_fetched(target: Target) -> None:
    target.reserve(1)
    with pytest.raises(DiskError, match="and there is room for"):
        target.reserve(2**62)


async def test_what_is_to_go_makes_room(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    await target.write([(0, [bytes(range(256)) * 256])])
    target.flush()
    full = os.statvfs_result((4096, 4096, 1000, 0, 0, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "fstatvfs", lambda _: full)
    target.reserve(4096, anew=True)
    with pytest.raises(DiskError, match="and there is room for 0"):
        target.reserve(4096)


async def test_a_disk_that_is_full_is_told(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwritev", _raise(OSError(28, "No space left on device")))
    with pytest.raises(DiskError, match=r"file.bin.part: No space left on device"):
        await target.write([(0, [b"abc"])])


def test_flushing_is_the_system_s(target: Target) -> None:
    target.flush()


def test_a_finished_file_is_finished_whatever_becomes_of_the_journal(target: Target, path: Path) -> None:
    target.part.with_name("file.bin.part.json").mkdir()
    assert target.place(path, replace=True)


def test_what_is_after_a_position_can_be_given_up(target: Target) -> None:
    target.truncate(5)
    assert target.part.stat().st_size == 5
