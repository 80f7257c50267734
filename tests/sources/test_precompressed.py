"""Precompressed files: content codings (RFC 9110 §8.4) and Accept-Encoding (§12.5.3), with a real store and app."""

import gzip
import os
import random
import time
from itertools import permutations
from pathlib import Path

import pytest
from conftest import Serve
from harness.asgi import Exchange, ask
from harness.mounts import mounts as mounts  # noqa: PLC0414
from harness.waiting import HANGING

from async_downloads.asgi import Downloads
from async_downloads.sources import small_files
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.precompressed import RecentCodings
from async_downloads.sources.small_files import SmallFileCache

PLAIN = b"plain " * 1000
# A frame of RFC 8878 with one raw block: magic, descriptor and size (6000), block header, content.
ZSTD = b"\x28\xb5\x2f\xfd\x60" + (6000 - 256).to_bytes(2, "little") + (6000 << 3 | 1).to_bytes(3, "little") + PLAIN
CODED = {"br": b"as brotli", "zstd": ZSTD, "gzip": gzip.compress(PLAIN)}
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
    give_the_time_of(root / "a.html", *root.glob("a.html.*"))
    return root


def give_the_time_of(plain: Path, *coded: Path) -> None:
    """Copy the modification time, as gzip, zstd and brotli do at their end."""
    for path in coded:
        os.utime(path, ns=(plain.stat().st_atime_ns, plain.stat().st_mtime_ns))


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


@pytest.mark.parametrize("wanted", ["bytes=3-5", "bytes=-3", "bytes=0-0,5-6", "bytes=5990-"])
async def test_a_range_is_one_of_the_file_itself(root: Path, wanted: str) -> None:
    response, plain = await get(root, "br, gzip", Range=wanted), await get(root, None, Range=wanted)
    assert (response.status, response.fields.get("content-encoding")) == (206, None)
    assert (response.body, response.fields["etag"]) == (plain.body, plain.fields["etag"])
    assert response.fields["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("coding", CODED)
@pytest.mark.parametrize("condition", ["If_Range", "If_Match"])
async def test_the_rest_of_a_coding_is_sent_to_a_client_that_names_it(root: Path, coding: str, condition: str) -> None:
    tag = (await get(root, coding)).fields["etag"]
    response = await get(root, "br, gzip, zstd", Range="bytes=3-5", **{condition: tag})
    assert (response.status, response.body) == (206, CODED[coding][3:6])
    assert response.fields["content-encoding"] == coding


async def test_a_coding_that_the_client_does_not_accept_any_more_is_not_sent(root: Path) -> None:
    tag = (await get(root, "gzip")).fields["etag"]
    response = await get(root, "br", Range="bytes=3-5", If_Range=tag)
    assert (response.status, response.body) == (200, PLAIN)


@pytest.mark.parametrize(("tag", "status"), [("*", 206), ('"other"', 412)])
async def test_a_condition_that_names_no_coding_is_one_of_the_file_itself(root: Path, tag: str, status: int) -> None:
    response = await get(root, "gzip", Range="bytes=3-5", If_Match=tag)
    assert (response.status, response.fields.get("content-encoding")) == (status, None)


async def test_a_date_in_if_range_does_not_say_which_coding_the_client_has(root: Path) -> None:
    give_the_time_of(Path("/proc/self/exe").resolve(), *root.iterdir())
    date = (await get(root, "gzip")).fields["last-modified"]
    whole = await get(root, "gzip", Range="bytes=3-5", If_Range=date)
    assert (whole.status, whole.body, whole.fields["content-encoding"]) == (200, CODED["gzip"], "gzip")
    part = await get(root, "gzip", "b.html", Range="bytes=3-5", If_Range=date)
    assert (part.status, part.body) == (206, PLAIN[3:6])


@pytest.mark.parametrize(
    ("plain", "coded", "is_sent"),
    [
        pytest.param(-100.5, -100.5, True, id="the time of the file"),
        pytest.param(-100.5, -101, True, id="its whole seconds"),
        pytest.param(-100.5, -100.6, False, id="older"),
        pytest.param(-100, -50, True, id="newer, and written long ago"),
        pytest.param(-100, -1, False, id="newer, and perhaps still written to"),
        pytest.param(-100, 3600, False, id="from the future"),
        pytest.param(-0.25, -0.25, True, id="both written just now"),
        pytest.param(-0.25, -0.125, False, id="written in the same second"),
    ],
)
async def test_a_precompressed_file_counts_by_its_time(root: Path, plain: float, coded: float, is_sent: bool) -> None:
    now = int(time.time()) * 10**9
    for path, seconds in ((root / "a.html", plain), (root / "a.html.gz", coded)):
        os.utime(path, ns=(now, now + int(seconds * 10**9)))
    assert (await get(root, "gzip")).fields.get("content-encoding") == ("gzip" if is_sent else None)


def large_zstd(size: int, *, frames: int = 1, checksum: bool = False, states_size: bool = True) -> bytes:
    """Return frames with a block of one repeated byte each, and between them one that is to be skipped."""
    descriptor = 0xA0 if states_size else 0x00
    blocks = [(0, 50_000, b"x"), (1, size // frames - 50_000, b"y")]
    frame = b"\x28\xb5\x2f\xfd" + bytes([descriptor | checksum << 2])
    frame += (size // frames).to_bytes(4, "little") if states_size else b"\x00"
    frame += b"".join((count << 3 | 1 << 1 | last).to_bytes(3, "little") + byte for last, count, byte in blocks)
    return (b"\x50\x2a\x4d\x18\x02\x00\x00\x00ab").join([frame + b"sum!" * checksum] * frames)


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        pytest.param(".gz", gzip.compress(bytes(200_000), 1), id="gzip"),
        pytest.param(".zst", large_zstd(200_000), id="zstd"),
        pytest.param(".zst", large_zstd(200_000, checksum=True), id="zstd with a checksum"),
        pytest.param(".zst", large_zstd(200_000, frames=2), id="zstd of two frames"),
        pytest.param(".zst", large_zstd(200_000, states_size=False), id="zstd of a stream"),
    ],
)
@pytest.mark.parametrize("kind", ["whole", "cut", "empty", "of another size", "one byte more"])
async def test_a_precompressed_file_must_be_complete(root: Path, suffix: str, data: bytes, kind: str) -> None:
    plain, coded = root / "c.bin", root / f"c.bin{suffix}"
    plain.write_bytes(bytes(200_000 if kind != "of another size" else 200_001))
    coded.write_bytes({"cut": data[:-5], "empty": b"", "one byte more": data + b"x"}.get(kind, data))
    give_the_time_of(plain, coded)
    response = await get(root, "zstd, gzip", "c.bin")
    knows_no_size = len(data) == len(large_zstd(200_000, states_size=False)) and suffix == ".zst"
    is_sent = kind == "whole" or (kind == "of another size" and knows_no_size)
    assert ("content-encoding" in response.fields) is is_sent


async def test_a_large_precompressed_file_is_checked_once_a_version(root: Path) -> None:
    plain, coded = root / "c.bin", root / "c.bin.gz"
    data = random.Random(1).randbytes(300_000)
    plain.write_bytes(data)

    async def is_sent(content: bytes) -> bool:
        coded.write_bytes(content)
        give_the_time_of(plain, coded)
        app = Downloads(DirectoryStore(root))
        sent = [await ask(app, "/c.bin", fields=[("Accept-Encoding", "gzip")]) for _ in range(3)]
        codings = {each.fields.get("content-encoding") for each in sent}
        assert len(codings) == 1
        return codings == {"gzip"}

    whole = gzip.compress(data)
    assert [await is_sent(content) for content in (whole[:-9], whole, whole[:200_000])] == [False, True, False]


async def test_a_precompressed_file_that_is_older_is_ignored(root: Path) -> None:
    os.utime(root / "a.html.br", (1, 1))
    assert (await get(root, "br, gzip")).body == CODED["gzip"]


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
    monkeypatch.setattr(small_files, "_memory", small_files._Memory())  # the next sweep is planned far in the future


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
            _, fields, body = await connection.read_response()
            assert (fields["Content-Type"], fields["Content-Encoding"]) == (media_type, coded)
            assert body == CODED[coding]


async def test_a_coded_file_on_another_file_system_is_not_waited_for(mounts: Path) -> None:
    for folder in ("disk", "nfs"):
        (mounts / folder / "a.html").write_bytes(PLAIN)
        (mounts / "nfs" / "a.html.gz").write_bytes(CODED["gzip"])
        give_the_time_of(mounts / folder / "a.html", mounts / "nfs" / "a.html.gz")
    (mounts / "disk" / "a.html.gz").symlink_to("../nfs/a.html.gz")
    give_the_time_of(mounts / "disk" / "a.html", mounts / "nfs" / "a.html", mounts / "nfs" / "a.html.gz")
    assert "Content-Encoding" not in (await get(mounts, "gzip", "disk/a.html")).fields
    assert (await get(mounts, "gzip", "nfs/a.html")).fields["Content-Encoding"] == "gzip"


async def coding_sent(app: Downloads, accept: str, key: str = "b.html") -> str | None:
    """Return the coding of a response, whose body must be in that coding."""
    response = await ask(app, f"/{key}", fields=[("Accept-Encoding", accept)])
    coding: str | None = response.fields.get("content-encoding")
    assert response.body == (CODED[coding] if coding else PLAIN)
    return coding


@pytest.mark.parametrize(
    ("fresh_seconds", "second"), [pytest.param(HANGING, None, id="within"), pytest.param(0.0, "gzip", id="after")]
)
async def test_a_sibling_that_appears_is_sent_after_the_second_in_which_none_are_looked_for(
    root: Path, monkeypatch: pytest.MonkeyPatch, fresh_seconds: float, second: str | None
) -> None:
    monkeypatch.setattr(RecentCodings, "_FRESH_SECONDS", fresh_seconds)
    app = Downloads(DirectoryStore(root))
    assert await coding_sent(app, "gzip") is None
    (root / "b.html.gz").write_bytes(CODED["gzip"])
    give_the_time_of(root / "b.html", root / "b.html.gz")
    assert await coding_sent(app, "gzip") == second


async def test_what_one_client_gets_says_nothing_about_clients_with_other_codings(root: Path) -> None:
    app = Downloads(DirectoryStore(root))
    for _ in range(2):
        sent = [await coding_sent(app, accept, "a.html") for accept in ("deflate", "gzip", "br, gzip", "zstd, gzip")]
        assert sent == [None, "gzip", "br", "zstd"]


async def test_a_sibling_that_is_removed_is_not_sent_any_more(root: Path) -> None:
    app = Downloads(DirectoryStore(root))
    assert await coding_sent(app, "br, gzip", "a.html") == "br"
    (root / "a.html.br").unlink()
    assert await coding_sent(app, "br, gzip", "a.html") is None


async def test_a_sibling_of_an_older_version_is_not_sent_any_more(root: Path) -> None:
    app = Downloads(DirectoryStore(root))
    assert await coding_sent(app, "gzip", "a.html") == "gzip"
    (root / "new").write_bytes(PLAIN)
    os.utime(root / "new", ns=(0, (root / "a.html").stat().st_mtime_ns + 10**9))
    (root / "new").replace(root / "a.html")
    assert await coding_sent(app, "gzip", "a.html") is None


def test_the_remembered_codings_are_bounded() -> None:
    recent = RecentCodings()
    for number in range(5000):
        recent.put(str(number), ("gzip",), None)
    assert len(recent._chosen) == 5000 - 4096
    assert recent.get("4999", ("gzip",)) == ()
    assert recent.get("0", ("gzip",)) is None
