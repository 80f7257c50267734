"""The page of a file: how it is shown, what is beside it, and that it is safe."""

import os
from pathlib import Path
from urllib.parse import quote, urljoin
from xml.etree import ElementTree as ET

import pytest

from async_downloads.config import Settings
from async_downloads.site.kinds import kind_of
from async_downloads.site.markdown import MAX_MARKDOWN_BYTES
from async_downloads.site.preview import MAX_TEXT_BYTES, Track, neighbours_of, tracks_of
from async_downloads.sources.base import Entry
from served_site.conftest import SiteOf
from served_site.page import read
from served_site.site import Site

_FILES = {
    "code.py": b"def f():\n    return '<b>'\n",
    "notes.md": b"# Notes\n\n*hello* <script>x</script>\n",
    "README.md": b"[a picture](1.png)\n",
    "data.bin": b"\0\1\2",
    "unknown": b"a text without an extension\n",
    "film.mp4": b"\0",
    "film.vtt": b"WEBVTT\n",
    "film.de.srt": b"1\n00:00:00,000 --> 00:00:01,000\nHallo\n",
    "sound.ogg": b"\0",
    "paper.pdf": b"%PDF-1.4",
    "1.png": b"\x89PNG",
    "2.png": b"\x89PNG",
    "10.png": b"\x89PNG",
    "long.txt": b"x" * (MAX_TEXT_BYTES + 1),
    "empty.png": b"",
    "long.md": b"*long*\n" + b"x" * MAX_MARKDOWN_BYTES,
    "sub/below.txt": b"below\n",
    'a <b>&".txt': b"odd\n",
}


@pytest.fixture
async def site(site_of: SiteOf, tmp_path: Path) -> Site:
    """A folder with a file of each kind."""
    folder = tmp_path / "folder"
    for name, data in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / os.fsdecode(b"\xff.txt")).write_bytes(b"bytes\n")
    return await site_of(Settings(directory=folder))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("code.py", '<span class="k">def</span>'),
        ("code.py", '<span id="L2">'),
        ("notes.md", "<em>hello</em> &lt;script&gt;"),
        ("unknown", '<span id="L1">a text without an extension'),
        ("data.bin", "There is no preview of this kind of file."),
        ("empty.png", "This file is empty."),
        ("long.md", '<span id="L1">*long*'),
        ("long.txt", "This text is longer than 1 MiB."),
        ("film.mp4", '<video controls preload="metadata" src="film.mp4?inline"'),
        ("film.mp4", '<track kind="subtitles" src="film.de.srt?vtt" srclang="de" label="de" default>'),
        ("film.mp4", '<track kind="subtitles" src="film.vtt" srclang="und" label="Subtitles">'),
        ("sound.ogg", '<audio controls preload="metadata" src="sound.ogg?inline"'),
        ("paper.pdf", '<iframe src="paper.pdf?inline"'),
        ("2.png", '<img src="2.png?inline" alt="2.png">'),
        ("2.png", 'rel="prev" href="1.png?view"'),
        ("2.png", 'rel="next" href="10.png?view"'),
        ("sub/below.txt", "below"),
        (os.fsdecode(b"\xff.txt"), 'href="%FF.txt?download"'),
        ('a <b>&".txt', "<bdi>a &lt;b&gt;&amp;&#34;.txt</bdi>"),
    ],
)
async def test_a_file_has_a_page_that_shows_it(site: Site, name: str, shown: str) -> None:
    response = await site.get(f"/{quote(os.fsencode(name))}?view", accept="text/html")
    assert response.status_code == 200
    assert shown in response.text
    page = read(response.content)
    if "script" not in shown:
        assert len(page.texts["script"]) == 1  # the site's own
    for target, _ in page.links:
        assert (await site.get(urljoin(f"/{quote(os.fsencode(name))}", target))).status_code == 200


async def test_markdown_can_be_shown_as_its_source(site: Site) -> None:
    text = (await site.get("/notes.md?view=source")).text
    assert "<em>" not in text
    assert "*hello*" in text


async def test_the_page_of_a_file_is_checked_again_and_has_its_own_etag(site: Site) -> None:
    first = await site.get("/code.py?view")
    assert (await site.get("/code.py?view", if_none_match=first.headers["etag"])).status_code == 304
    assert (await site.get("/code.py", if_none_match=first.headers["etag"])).status_code == 200
    coded = await site.get("/code.py?view", accept_encoding="gzip")
    assert coded.headers["content-encoding"] == "gzip"
    assert coded.content == first.content


async def test_there_is_no_page_of_what_is_not_there(site: Site) -> None:
    for query in ("view", "qr", "vtt"):
        assert (await site.get(f"/none?{query}")).status_code == 404
    assert (await site.get("/sub?view")).status_code == 301
    assert (await site.get("/code.py?vtt")).status_code == 404


async def test_subtitles_in_the_format_of_subrip_are_sent_as_webvtt(site: Site) -> None:
    response = await site.get("/film.de.srt?vtt")
    assert response.headers["content-type"] == "text/vtt; charset=utf-8"
    assert response.text == "WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.000\nHallo\n"
    assert (await site.get("/film.de.srt")).content == _FILES["film.de.srt"]


async def test_the_qr_code_is_a_picture_without_anything_active(site: Site) -> None:
    response = await site.get("/code.py?qr")
    assert response.headers["content-type"] == "image/svg+xml"
    root = ET.fromstring(response.content)
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {"svg", "g", "path"}
    other = await site.get("/notes.md?qr")
    assert other.content != response.content


async def test_a_url_that_is_too_long_has_no_qr_code(site_of: SiteOf, tmp_path: Path) -> None:
    folder = Path(*["d" * 250] * 4)
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "f.txt").write_text("found")
    site = await site_of(Settings(directory=tmp_path))
    assert (await site.get(f"/{folder}/f.txt?qr")).status_code == 404
    assert "?qr" not in (await site.get(f"/{folder}/f.txt?view")).text


async def test_a_folder_shows_its_readme_to_a_browser_and_not_to_a_program(site: Site) -> None:
    assert '<a href="1.png">a picture</a>' in (await site.get("/", accept="text/html")).text
    assert "a picture" not in (await site.get("/")).text
    assert "a picture" not in (await site.get("/?after=film.mp4", accept="text/html")).text


_PICTURES = [Entry(name, False, 1) for name in ("b10.jpg", "b9.jpg", "a.txt", "c.png")] + [Entry("d.png", True)]


@pytest.mark.parametrize(
    ("name", "neighbours"),
    [
        ("b9.jpg", (None, "b10.jpg")),
        ("b10.jpg", ("b9.jpg", "c.png")),
        ("c.png", ("b10.jpg", None)),
        ("gone.png", (None, None)),
    ],
)
def test_a_picture_has_those_before_and_after_it(name: str, neighbours: tuple[str | None, str | None]) -> None:
    assert neighbours_of(name, _PICTURES) == neighbours


def test_the_subtitles_of_a_video_have_its_name() -> None:
    names = ("film.mp4", "film.srt", "film.en.VTT", "films.vtt", "film.txt", "fil.vtt", "film.vtt.bak")
    found = tracks_of("film.mp4", [*(Entry(name, False, 1) for name in names), Entry("film.x.vtt", True)])
    assert found == (Track("film.en.VTT", "en"), Track("film.srt?vtt", "und"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.JPG", "image"),
        ("a.svg", "image"),
        ("a.psd", "file"),
        ("a.webm", "video"),
        ("a.flac", "audio"),
        ("a.pdf", "pdf"),
        ("a.md", "markdown"),
        ("a.json", "text"),
        ("a.toml", "text"),
        ("LICENSE", "text"),
        ("a.tar.zst", "archive"),
        ("a.whl", "archive"),
        ("a.dat", "file"),
        (".hidden", "file"),
    ],
)
def test_a_name_says_of_what_kind_a_file_is(name: str, kind: str) -> None:
    assert kind_of(name) == kind
