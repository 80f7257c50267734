"""Precompressed files: content codings (RFC 9110 §8.4) and Accept-Encoding (§12.5.3), with a real store and app."""

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
    """Make a file with all codings, and a file without any."""
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
async def test_the_response_has_the_coding_that_the_client_prefers(
    root: Path, accept: str | None, coding: str | None
) -> None:
    response = await get(root, accept)
    assert response.fields.get("content-encoding") == coding
    assert response.body == (CODED[coding] if coding else PLAIN)
    assert response.fields["content-length"] == str(len(response.body))
    assert response.fields["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("key", "accept"), [("a.html", None), ("a.html", "gzip"), ("b.html", None), ("b.html", "gzip")]
)
async def test_every_response_varies_by_accept_encoding(root: Path, key: str, accept: str | None) -> None:
    response = await get(root, accept, key)
    assert response.fields["vary"] == "Accept-Encoding"
    again = await get(root, accept, key, If_None_Match=response.fields["etag"])
    assert (again.status, again.fields["vary"]) == (304, "Accept-Encoding")


async def test_every_coding_has_its_own_strong_etag(root: Path) -> None:
    tags = {(await get(root, accept)).fields["etag"] for accept in (None, *CODED)}
    assert len(tags) == 4
    assert not [tag for tag in tags if tag.startswith("W/")]


async def test_a_range_counts_coded_bytes(root: Path) -> None:
    response = await get(root, "br", Range="bytes=3-5")
    assert (response.status, response.body) == (206, CODED["br"][3:6])
    assert response.fields["content-range"] == f"bytes 3-5/{len(CODED['br'])}"
    assert response.fields["content-encoding"] == "br"


async def test_if_range_matches_only_in_the_same_coding(root: Path) -> None:
    tag = (await get(root, "gzip")).fields["etag"]
    same = await get(root, "gzip", Range="bytes=3-5", If_Range=tag)
    other = await get(root, "br", Range="bytes=3-5", If_Range=tag)
    assert (same.status, same.body) == (206, CODED["gzip"][3:6])
    assert (other.status, other.body) == (200, CODED["br"])


async def test_a_precompressed_file_that_is_older_is_ignored(root: Path) -> None:
    os.utime(root / "a.html.br", (1, 1))
    assert (await get(root, "br, gzip")).body == CODED["gzip"]


async def test_a_precompressed_file_of_the_same_time_is_sent(root: Path) -> None:
    for path in root.iterdir():
        os.utime(path, (1, 1))
    assert (await get(root, "br, gzip")).body == CODED["br"]


async def test_a_precompressed_file_outside_the_root_is_ignored(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    for coding in ("br", "zstd"):
        (root / f"a.html{SUFFIXES[coding]}").unlink()
    (root / "a.html.br").symlink_to("../secret")
    (root / "a.html.zst").mkdir()
    assert (await get(root, "br, zstd, gzip")).body == CODED["gzip"]


async def test_a_precompressed_file_without_the_plain_file_is_not_enough(root: Path) -> None:
    (root / "a.html").unlink()
    assert (await get(root, "gzip")).status == 404


async def test_a_precompressed_file_can_be_requested_by_its_own_name(root: Path) -> None:
    response = await get(root, "gzip, br", "a.html.gz")
    assert "content-encoding" not in response.fields
    assert (response.fields["content-type"], response.body) == ("application/gzip", CODED["gzip"])


async def test_precompressed_files_can_be_switched_off(root: Path) -> None:
    response = await ask(
        Downloads(DirectoryStore(root, precompressed=False)), "/a.html", fields=[("Accept-Encoding", "gzip")]
    )
    assert response.body == PLAIN
    assert "vary" not in response.fields


@pytest.fixture
def _cache_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the cache accept every small file and keep it."""
    monkeypatch.setattr(SmallFileCache, "_CLOCK_TICK_NS", -(10**18))
    monkeypatch.setattr(SmallFileCache, "_FRESH_SECONDS", HANGING)


# The requested key and accepted coding, and the media type and coding of the response.
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


@pytest.mark.usefixtures("_cache_everything")
@pytest.mark.parametrize("coding", CODED)
async def test_the_description_depends_on_the_request_and_not_on_the_order_of_requests(root: Path, coding: str) -> None:
    os.link(root / f"a.html{SUFFIXES[coding]}", root / "again.bin")  # a second name of the same file
    for order in permutations(_cases(coding)):
        app = Downloads(DirectoryStore(root), attachment=True)
        for key, accept, media_type, coded in order * 2:
            response = await ask(app, f"/{key}", fields=[("Accept-Encoding", accept)])
            assert (response.fields["content-type"], response.fields.get("content-encoding")) == (media_type, coded)
            assert response.fields["content-disposition"].partition("filename=")[2].strip('"') == key
            assert response.body == (PLAIN if (key, coded) == ("a.html", None) else CODED[coding])


@pytest.mark.usefixtures("_cache_everything")
@pytest.mark.parametrize("order", [1, -1], ids=["plain-first", "precompressed-first"])
@pytest.mark.parametrize("coding", CODED)
async def test_the_description_depends_on_the_request_over_a_socket(
    root: Path, serve: Serve, coding: str, order: int
) -> None:
    server = await serve(Downloads(DirectoryStore(root)))
    async with server.connected() as connection:
        for key, accept, media_type, coded in _cases(coding)[1:3][::order]:
            await connection.ask(f"/{key}", f"Accept-Encoding: {accept}")
            _, fields, body = await connection.answer()
            assert (fields["Content-Type"], fields["Content-Encoding"]) == (media_type, coded)
            assert body == CODED[coding]
