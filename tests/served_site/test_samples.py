"""The sample data: each example can be fetched."""

import asyncio
import html
import re
import time
import wave
import zlib
from pathlib import Path
from urllib.parse import urljoin

import pytest

from async_downloads.site.sample_media import landscape
from async_downloads.site.samples import Sample, make_samples, samples
from served_site.conftest import SiteOf
from served_site.site import Site


@pytest.fixture
async def site(site_of: SiteOf, tmp_path: Path) -> Site:
    """The site of the samples."""
    return await site_of(await asyncio.to_thread(make_samples, tmp_path))


async def test_each_sample_can_be_fetched(site: Site) -> None:
    statuses = {sample.path: (await site.ask(sample.path, "HEAD")).status_code for sample in samples()}
    assert statuses == dict.fromkeys(statuses, 200)


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.path)
def test_each_sample_says_what_it_is(sample: Sample) -> None:
    assert sample.path.startswith("/")
    assert sample.description
    assert "'" not in sample.description


@pytest.mark.parametrize("name", ["tour.html", "README.md"])
async def test_every_link_and_picture_of_a_page_exists(site: Site, name: str) -> None:
    text = html.unescape((await site.get(f"/{name}")).text)
    targets = re.findall(r'(?:href|src)="((?!data:)[^"]*)"', text) + re.findall(r"\]\(([^)]*)\)", text)
    statuses = {target: (await site.ask(urljoin("/", target), "HEAD")).status_code for target in targets}
    assert len(statuses) > 5
    assert statuses == dict.fromkeys(statuses, 200)


async def test_the_tour_loads_nothing_from_elsewhere(site: Site) -> None:
    tour = (await site.get("/tour.html")).text
    targets = re.findall(r"""(?:href|src|srcset|action|data)=["']?([^"' >]+)|url\(([^)]+)\)""", tour)
    assert len(targets) > 20
    assert [target for target in targets if "//" in "".join(target)] == []


async def test_the_tour_shows_every_route(site: Site) -> None:
    tour = (await site.get("/tour.html")).text
    assert [sample.path for sample in samples() if f">{sample.path}</a>" not in tour] == []


def test_the_samples_are_made_quickly(tmp_path: Path) -> None:
    began = time.process_time()
    make_samples(tmp_path)
    assert time.process_time() - began < 1


def test_the_gallery_has_different_pictures_in_their_natural_order(tmp_path: Path) -> None:
    make_samples(tmp_path)
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "gallery").iterdir()}
    assert set(pictures) == {f"picture {number}.png" for number in range(1, 13)}
    assert len(set(pictures.values())) == 12


def test_the_subtitles_name_each_second_of_the_video(tmp_path: Path) -> None:
    make_samples(tmp_path)
    text = (tmp_path / "media" / "counter.vtt").read_text()
    assert text.startswith("WEBVTT\n\n00:00.000 --> 00:01.000\nThis is second 0.\n\n")
    assert re.findall(r"--> 00:(\d\d)\.000", text) == [f"{second:02}" for second in range(1, 13)]


@pytest.mark.parametrize("day", [0.0, 0.1, 0.5, 1.0])
def test_a_picture_is_a_complete_png(day: float) -> None:
    data = landscape(day)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    kinds, at = [], 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert int.from_bytes(data[at + 8 + size : at + 12 + size]) == zlib.crc32(kind + content)
        kinds.append(kind)
        if kind == b"IHDR":
            width, height = int.from_bytes(content[:4]), int.from_bytes(content[4:8])
        if kind == b"IDAT":
            assert len(zlib.decompress(content)) == height * (1 + 3 * width)
        at += 12 + size
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]


def test_the_tone_is_a_minute_of_sound(tmp_path: Path) -> None:
    make_samples(tmp_path)
    with wave.open(str(tmp_path / "media" / "tone.wav")) as tone:
        assert tone.getnframes() / tone.getframerate() == 60
        assert len(set(tone.readframes(22_050))) > 100
