"""Files with precompressed siblings: content codings of RFC 9110 §8.4 and §12.5.3, over a real store and app."""

import gzip
import os
from itertools import permutations
from pathlib import Path

import pytest
from conftest import Serve
from harness.asgi import Exchange, ask
from harness.waiting import HANGING

from async_downloads.asgi import Downloads
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.small_files import SmallFileCache

PLAIN = b"plain " * 1000
CODED = {"br": b"as brotli", "zstd": b"as zstandard", "gzip": gzip.compress(PLAIN)}
SUFFIXES = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file in all codings, and one in none."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.html").write_bytes(PLAIN)
    (root / "b.html").write_bytes(PLAIN)
    for coding, data in CODED.items():
        (root / f"a.html{SUFFIXES[coding]}").write_bytes(data)
    return root


async def get(root: Path, accept: str | None, key: str = "a.html", **fields: str) -> Exchange:
    lines = [(name.replace("_", "-"), value) for name, value in fields.items()]
    if accept is not None:
        lines.append(("Accept-Encoding", accept))
    return await ask(Downloads(DirectoryStore(root)), f"/{key}", fields=lines)


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("deflate", None),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, br", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.5, gzip;q=0.9", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("*", "br"),
        ("*;q=0", None),
    ],
)
async def test_the_coding_that_the_client_likes_best_is_sent(
    root: Path, accept: str | None, coding: str | None
) -> None:
    answer = await get(root, accept)
    assert answer.fields.get("content-encoding") == coding
    assert answer.body == (CODED[coding] if coding else PLAIN)
    assert answer.fields["content-length"] == str(len(answer.body))
    assert answer.fields["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("key", "accept"), [("a.html", None), ("a.html", "gzip"), ("b.html", None), ("b.html", "gzip")]
)
async def test_every_answer_says_that_the_field_had_a_part_in_it(root: Path, key: str, accept: str | None) -> None:
    answer = await get(root, accept, key)
    assert answer.fields["vary"] == "Accept-Encoding"
    again = await get(root, accept, key, If_None_Match=answer.fields["etag"])
    assert (again.status, again.fields["vary"]) == (304, "Accept-Encoding")


async def test_every_coding_has_a_strong_tag_of_its_own(root: Path) -> None:
    tags = {(await get(root, accept)).fields["etag"] for accept in (None, *CODED)}
    assert len(tags) == 4
    assert not [tag for tag in tags if tag.startswith("W/")]


async def test_a_range_counts_the_bytes_that_travel(root: Path) -> None:
    answer = await get(root, "br", Range="bytes=3-5")
    assert (answer.status, answer.body) == (206, CODED["br"][3:6])
    assert answer.fields["content-range"] == f"bytes 3-5/{len(CODED['br'])}"
    assert answer.fields["content-encoding"] == "br"


async def test_a_range_goes_on_only_in_the_coding_it_began_in(root: Path) -> None:
    tag = (await get(root, "gzip")).fields["etag"]
    same = await get(root, "gzip", Range="bytes=3-5", If_Range=tag)
    other = await get(root, "br", Range="bytes=3-5", If_Range=tag)
    assert (same.status, same.body) == (206, CODED["gzip"][3:6])
    assert (other.status, other.body) == (200, CODED["br"])


async def test_an_older_sibling_is_ignored(root: Path) -> None:
    os.utime(root / "a.html.br", (1, 1))
    assert (await get(root, "br, gzip")).body == CODED["gzip"]


async def test_a_sibling_of_the_same_time_is_taken(root: Path) -> None:
    for path in root.iterdir():
        os.utime(path, (1, 1))
    assert (await get(root, "br, gzip")).body == CODED["br"]


async def test_a_sibling_that_leads_out_or_is_no_file_is_ignored(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    for coding in ("br", "zstd"):
        (root / f"a.html{SUFFIXES[coding]}").unlink()
    (root / "a.html.br").symlink_to("../secret")
    (root / "a.html.zst").mkdir()
    assert (await get(root, "br, zstd, gzip")).body == CODED["gzip"]


async def test_a_sibling_without_the_thing_itself_stands_for_nothing(root: Path) -> None:
    (root / "a.html").unlink()
    assert (await get(root, "gzip")).status == 404


async def test_a_sibling_asked_for_by_name_is_a_file_as_any_other(root: Path) -> None:
    answer = await get(root, "gzip, br", "a.html.gz")
    assert "content-encoding" not in answer.fields
    assert (answer.fields["content-type"], answer.body) == ("application/gzip", CODED["gzip"])


async def test_siblings_can_be_left_alone(root: Path) -> None:
    answer = await ask(
        Downloads(DirectoryStore(root, precompressed=False)), "/a.html", fields=[("Accept-Encoding", "gzip")]
    )
    assert answer.body == PLAIN
    assert "vary" not in answer.fields


@pytest.fixture
def _at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a store keep every small file from the first time it is asked for."""
    monkeypatch.setattr(SmallFileCache, "_CLOCK_TICK_NS", -(10**18))
    monkeypatch.setattr(SmallFileCache, "_FRESH_SECONDS", HANGING)


# What is asked for, with which coding accepted, and the media type and coding that are told.
_Case = tuple[str, str, str, str | None]
_HTML = "text/html; charset=utf-8"
_TYPES = {"br": "application/x-brotli", "zstd": "application/zstd", "gzip": "application/gzip"}


def _cases(coding: str) -> tuple[_Case, ...]:
    return (
        ("a.html", "", _HTML, None),
        ("a.html", coding, _HTML, coding),
        (f"a.html{SUFFIXES[coding]}", "", _TYPES[coding], None),
        ("again.bin", "", "application/octet-stream", None),
    )


@pytest.mark.usefixtures("_at_hand")
@pytest.mark.parametrize("coding", CODED)
async def test_a_sibling_is_described_as_it_was_asked_for_whoever_came_first(root: Path, coding: str) -> None:
    os.link(root / f"a.html{SUFFIXES[coding]}", root / "again.bin")  # one file, and another name for it
    for order in permutations(_cases(coding)):
        app = Downloads(DirectoryStore(root), attachment=True)
        for key, accept, media_type, coded in order * 2:
            answer = await ask(app, f"/{key}", fields=[("Accept-Encoding", accept)])
            assert (answer.fields["content-type"], answer.fields.get("content-encoding")) == (media_type, coded)
            assert answer.fields["content-disposition"].partition("filename=")[2].strip('"') == key
            assert answer.body == (PLAIN if (key, coded) == ("a.html", None) else CODED[coding])


@pytest.mark.usefixtures("_at_hand")
@pytest.mark.parametrize("order", [1, -1], ids=["the-thing-first", "its-sibling-first"])
@pytest.mark.parametrize("coding", CODED)
async def test_so_it_is_over_a_socket(root: Path, serve: Serve, coding: str, order: int) -> None:
    server = await serve(Downloads(DirectoryStore(root)))
    async with server.connected() as connection:
        for key, accept, media_type, coded in _cases(coding)[1:3][::order]:
            await connection.ask(f"/{key}", f"Accept-Encoding: {accept}")
            _, fields, body = await connection.answer()
            assert (fields["Content-Type"], fields["Content-Encoding"]) == (media_type, coded)
            assert body == CODED[coding]
