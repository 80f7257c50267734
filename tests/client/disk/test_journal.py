"""The journal of a part file: its text, and its file."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.client.decisions.spans import NOTHING, Spans
from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.client.disk import journal
from async_downloads.client.disk.journal import Journal, Record, boot_id, decode, encode, unfinished
from async_downloads.semantics.dates import format_date
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import Validators

HELD = Spans.of([(0, 10), (20, 30)])
FLUSHED = Spans.of([(0, 5)])
TAGGED = RemoteVersion(100, Validators(ETag("a"), 1_700_000_000), '"a"')
DATED = RemoteVersion(None, Validators(None, 1_700_000_000), format_date(1_700_000_000))
RECORD = Record(TAGGED, HELD, FLUSHED)


def written(**changes: Any) -> str:
    """Return a journal with some values changed; `...` leaves the key out."""
    data = json.loads(encode(RECORD, url="u", boot="b"))
    return json.dumps({key: value for key, value in {**data, **changes}.items() if value is not ...})


@pytest.mark.parametrize("version", [TAGGED, DATED], ids=["by its ETag", "by its date"])
def test_a_record_that_was_encoded_is_decoded(version: RemoteVersion) -> None:
    record = Record(version, HELD, FLUSHED)
    assert decode(encode(record, url="u", boot="b"), url="u", boot="b") == record


@pytest.mark.parametrize(
    ("then", "now"),
    [
        pytest.param("b", "c", id="another boot"),
        pytest.param(None, None, id="no boot identifier"),
    ],
)
def test_after_another_boot_only_flushed_bytes_count(then: str | None, now: str | None) -> None:
    assert decode(encode(RECORD, url="u", boot=then), url="u", boot=now) == Record(TAGGED, FLUSHED, FLUSHED)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut"),
        pytest.param("[" * 100_000, id="nested"),
        pytest.param("[]", id="a list"),
        pytest.param(written(v=2), id="another format"),
        pytest.param(written(more=1), id="an unknown key"),
        pytest.param(written(boot=...), id="a key is missing"),
        pytest.param(written(url="w"), id="another URL"),
        pytest.param(written(total="100"), id="the total is text"),
        pytest.param(written(total=-1), id="the total is negative"),
        pytest.param(written(total=True), id="the total is true"),
        pytest.param(written(strong=None), id="no strong validator"),
        pytest.param(written(strong='"b"'), id="the strong validator is another one"),
        pytest.param(written(done=None), id="no spans"),
        pytest.param(written(done=[[0]]), id="a span with one end"),
        pytest.param(written(done=[[0, 1, 2]]), id="a span with three"),
        pytest.param(written(done=[[5, 1]]), id="a span backwards"),
        pytest.param(written(done=[[-1, 1]]), id="a span before the start"),
        pytest.param(written(done=[[0, 101]]), id="a span beyond the end"),
        pytest.param(written(done=[[0, 1.5]]), id="a position that is not an integer"),
        pytest.param(written(done=[7]), id="a span that is a number"),
        pytest.param(written(flushed="all"), id="flushed is text"),
    ],
)
def test_a_journal_with_anything_unexpected_is_refused(text: str) -> None:
    assert decode(text, url="u", boot="b") is None


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_text_makes_the_decoder_fail(text: str) -> None:
    assert decode(text, url="u", boot="b") is None


@given(
    st.dictionaries(
        st.sampled_from(["total", "strong", "etag", "lm", "done", "flushed", "boot"]),
        st.none() | st.integers() | st.text() | st.lists(st.integers()),
    )
)
def test_no_value_makes_the_decoder_fail(changes: dict[str, object]) -> None:
    decode(written(**changes), url="u", boot="b")


def test_a_journal_can_be_replaced_and_deleted(tmp_path: Path) -> None:
    one = Journal(tmp_path / "x.part.json", "u")
    assert one.load() is None
    one.save(Record(TAGGED, FLUSHED))
    one.save(RECORD)
    assert one.load() == RECORD
    assert [path.name for path in tmp_path.iterdir()] == ["x.part.json"]
    assert (one.remove(), one.remove(), one.load()) == (True, False, None)


def test_only_the_user_can_read_a_journal_and_it_has_no_url(tmp_path: Path) -> None:
    Journal(path := tmp_path / "x.part.json", "hash").save(RECORD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "http" not in path.read_text()


@pytest.mark.parametrize("content", [b"\xff", b"x" * 5_000_000], ids=["not UTF-8", "larger than any"])
def test_a_journal_that_is_not_text_or_is_too_long_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.part.json"
    path.write_bytes(content)
    assert Journal(path, "u").load() is None


def test_saving_does_not_follow_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "x.part.json.tmp").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        Journal(tmp_path / "x.part.json", "u").save(RECORD)
    assert victim.read_text() == "precious"


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("elsewhere")))


@pytest.mark.parametrize("fault", [pytest.param(_pipe, id="a pipe"), pytest.param(_link, id="a link")])
def test_a_journal_that_is_not_a_regular_file_is_refused(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    one = Journal(tmp_path / "x.part.json", "u")
    one.save(RECORD)
    fault(one.path)
    assert (one.load(), unfinished(tmp_path, "u")) == (None, None)


def test_a_journal_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, user = Journal(tmp_path / "x.part.json", "u"), os.geteuid()
    one.save(RECORD)
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert (one.load(), unfinished(tmp_path, "u")) == (None, None)


def test_saving_does_not_block_on_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.part.json.tmp")
    with pytest.raises(OSError, match="No such device"):
        Journal(tmp_path / "x.part.json", "u").save(RECORD)


@pytest.mark.parametrize(
    ("total", "held", "reopened"),
    [
        pytest.param(9, [(0, 9)], [(0, 8)], id="whole"),
        pytest.param(1, [(0, 1)], [], id="one byte"),
        pytest.param(9, [(0, 3), (4, 9)], [(0, 3), (4, 9)], id="a gap"),
        pytest.param(None, [(0, 9)], [(0, 9)], id="of unknown size"),
    ],
)
def test_a_complete_record_is_reopened_without_its_last_byte(
    total: int | None, held: list[tuple[int, int]], reopened: list[tuple[int, int]]
) -> None:
    version = RemoteVersion(total, TAGGED.validators, TAGGED.if_range)
    before, after = Spans.of(held), Spans.of(reopened)
    assert Record(version, before, before).reopened() == Record(version, after, after)


def test_an_unfinished_download_is_found_by_its_url(tmp_path: Path) -> None:
    Journal(tmp_path / "a.part.json", "other").save(RECORD)
    Journal(tmp_path / "b.part.json", "u").save(RECORD)
    assert unfinished(tmp_path, "u") == tmp_path / "b"
    assert unfinished(tmp_path, "none") is None


def test_the_boot_identifier_is_none_if_the_system_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert boot_id() == boot_id()
    for path in (tmp_path / "none", tmp_path / "empty"):
        monkeypatch.setattr(journal, "_BOOT_ID", path)
        boot_id.cache_clear()
        assert boot_id() is None
        (tmp_path / "empty").touch()
    boot_id.cache_clear()


def test_a_new_record_has_no_flushed_bytes() -> None:
    assert Record(TAGGED, HELD).flushed == NOTHING


def test_a_failed_save_leaves_the_old_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Journal(tmp_path / "x.part.json", "u")
    one.save(RECORD)
    monkeypatch.setattr(journal, "encode", lambda *_, **__: "\ud800")
    with pytest.raises(UnicodeEncodeError):
        one.save(Record(TAGGED, FLUSHED))
    monkeypatch.undo()
    assert one.load() == RECORD


def test_a_name_that_is_too_long_for_a_journal_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path / "x.part.json", "u").check_name_length()
    with pytest.raises(OSError, match="too long"):
        Journal(tmp_path / ("x" * 245 + ".part.json"), "u").check_name_length()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"etag": 'W/"a"', "strong": 'W/"a"'}, id="a weak ETag"),
        pytest.param({"etag": '"a\r\n"', "strong": '"a\r\n"'}, id="an invalid ETag"),
        pytest.param({"etag": None, "lm": "x", "strong": "x"}, id="an invalid date"),
    ],
)
def test_a_record_with_a_weak_or_invalid_validator_is_refused(changes: dict[str, object]) -> None:
    assert decode(written(**changes), url="u", boot="b") is None


def test_of_many_spans_the_largest_are_loaded() -> None:
    spans = [[3 * at, 3 * at + 1] for at in range(50_000)] + [[200_000, 300_000]]
    record = decode(written(total=300_000, done=spans, flushed=[]), url="u", boot="b")
    assert record
    assert (len(record.held.spans), record.held.spans[-1]) == (1000, (200_000, 300_000))
