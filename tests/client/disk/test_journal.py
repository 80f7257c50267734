"""What is held of an unfinished file, beside it."""

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
    """A journal with some of its values changed, or left out where there is `...` instead."""
    data = json.loads(encode(RECORD, url="u", boot="b"))
    return json.dumps({key: value for key, value in {**data, **changes}.items() if value is not ...})


@pytest.mark.parametrize("version", [TAGGED, DATED], ids=["by its ETag", "by its date"])
def test_what_was_written_is_read(version: RemoteVersion) -> None:
    record = Record(version, HELD, FLUSHED)
    assert decode(encode(record, url="u", boot="b"), url="u", boot="b") == record


@pytest.mark.parametrize(
    ("then", "now"),
    [
        pytest.param("b", "c", id="the machine was started again"),
        pytest.param(None, None, id="nobody knows whether it was"),
    ],
)
def test_when_the_power_may_have_gone_only_what_was_flushed_counts(then: str | None, now: str | None) -> None:
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
        pytest.param(written(done=[[0, 1.5]]), id="half a byte"),
        pytest.param(written(done=[7]), id="a span that is a number"),
        pytest.param(written(flushed="all"), id="flushed is text"),
    ],
)
def test_whatever_is_odd_about_a_journal_there_is_none(text: str) -> None:
    assert decode(text, url="u", boot="b") is None


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert decode(text, url="u", boot="b") is None


@given(
    st.dictionaries(
        st.sampled_from(["total", "strong", "etag", "lm", "done", "flushed", "boot"]),
        st.none() | st.integers() | st.text() | st.lists(st.integers()),
    )
)
def test_no_value_breaks_the_reader(changes: dict[str, object]) -> None:
    decode(written(**changes), url="u", boot="b")


def test_a_journal_is_replaced_and_removed(tmp_path: Path) -> None:
    one = Journal(tmp_path / "x.part.json", "u")
    assert one.load() is None
    one.save(Record(TAGGED, FLUSHED))
    one.save(RECORD)
    assert one.load() == RECORD
    assert [path.name for path in tmp_path.iterdir()] == ["x.part.json"]
    assert (one.remove(), one.remove(), one.load()) == (True, False, None)


def test_nobody_else_may_read_it_and_no_url_is_in_it(tmp_path: Path) -> None:
    Journal(path := tmp_path / "x.part.json", "hash").save(RECORD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "http" not in path.read_text()


@pytest.mark.parametrize("content", [b"\xff", b"x" * 5_000_000], ids=["not UTF-8", "larger than any"])
def test_what_is_no_text_of_ours_is_no_journal(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.part.json"
    path.write_bytes(content)
    assert Journal(path, "u").load() is None


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
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
def test_only_a_file_is_believed(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    one = Journal(tmp_path / "x.part.json", "u")
    one.save(RECORD)
    fault(one.path)
    assert (one.load(), unfinished(tmp_path, "u")) == (None, None)


def test_and_only_one_of_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, user = Journal(tmp_path / "x.part.json", "u"), os.geteuid()
    one.save(RECORD)
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert (one.load(), unfinished(tmp_path, "u")) == (None, None)


def test_a_pipe_in_the_way_is_not_waited_for(tmp_path: Path) -> None:
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
def test_there_is_always_something_to_ask_for(
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


def test_the_machine_is_known_by_its_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert boot_id() == boot_id()
    for path in (tmp_path / "none", tmp_path / "empty"):
        monkeypatch.setattr(journal, "_BOOT", path)
        boot_id.cache_clear()
        assert boot_id() is None
        (tmp_path / "empty").touch()
    boot_id.cache_clear()


def test_nothing_is_flushed_unless_it_is_said() -> None:
    assert Record(TAGGED, HELD).flushed == NOTHING


def test_what_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Journal(tmp_path / "x.part.json", "u")
    one.save(RECORD)
    monkeypatch.setattr(journal, "encode", lambda *_, **__: "\ud800")
    with pytest.raises(UnicodeEncodeError):
        one.save(Record(TAGGED, FLUSHED))
    monkeypatch.undo()
    assert one.load() == RECORD


def test_a_name_may_be_too_long_for_a_journal(tmp_path: Path) -> None:
    Journal(tmp_path / "x.part.json", "u").check()
    with pytest.raises(OSError, match="too long"):
        Journal(tmp_path / ("x" * 245 + ".part.json"), "u").check()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"etag": 'W/"a"', "strong": 'W/"a"'}, id="a weak ETag"),
        pytest.param({"etag": '"a\r\n"', "strong": '"a\r\n"'}, id="an ETag that is none"),
        pytest.param({"etag": None, "lm": "x", "strong": "x"}, id="a date that is none"),
    ],
)
def test_a_validator_that_was_never_strong_is_none(changes: dict[str, object]) -> None:
    assert decode(written(**changes), url="u", boot="b") is None
