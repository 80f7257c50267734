"""Chromium with `serve`: videos that seek, a download with a name, and a listing without console errors."""

import asyncio
import json
import os
import wave
from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from random import Random

import obstore
import pytest
from harness.relay import Relay
from harness.waiting import eventually
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from async_downloads.sources.object_storage.connecting import store_at
from tools.chromium import chromium, console_of
from tools.command import Command, serving
from tools.databases import database as database  # noqa: PLC0414
from tools.databases import fill
from tools.databases import postgres as postgres  # noqa: PLC0414
from tools.databases import sqlite as sqlite  # noqa: PLC0414

pytestmark = pytest.mark.timeout(240)

_RATE = 48_000
_SECONDS = 360  # of two channels of 16 bits: 69 MB, more than a browser fetches in advance
_SEEK = """
const done = arguments[arguments.length - 1];
const video = document.querySelector("video");
const fail = () => done({error: `${video.error?.code} ${video.error?.message}`});
video.addEventListener("error", fail);
video.addEventListener("seeked", () => done({time: video.currentTime, duration: video.duration}), {once: true});
const seek = () => { video.currentTime = video.duration - 1; };
if (video.readyState >= 1) seek(); else video.addEventListener("loadedmetadata", seek, {once: true});
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a page that plays a long recording, and with names that need escaping."""
    tree = tmp_path_factory.mktemp("tree")
    with wave.open(os.fspath(tree / "long.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(bytes(4 * _RATE * _SECONDS))
    (tree / "video.html").write_text('<!DOCTYPE html><title>video</title><video src="long.wav" preload="metadata">')
    for number in (1, 2):
        (tree / f".stored-{number}.html").write_text(
            f'<video src="/files/download/{number}?inline" preload="metadata">'
        )
    (tree / "naïve report.bin").write_bytes(Random(4).randbytes(100_000))
    (tree / "a:<b>&'c'.txt").write_text("found")
    return tree


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    """The folder in which the browser saves files."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    return folder


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    """A Chromium with its own profile."""
    with chromium(tmp_path) as browser:
        yield browser


def _logged(command: Command) -> list[tuple[str, int]]:
    """Return the target and the status of each logged request."""
    records = [json.loads(line) for line in command.log]
    return [(record["target"], record["status"]) for record in records]


def _farthest(command: Command, target: str = "/long.wav") -> int:
    """Return the largest first byte of all logged range requests."""
    records = [json.loads(line) for line in command.log]
    starts = [record["range"] for record in records if record["status"] == 206 and record["target"] == target]
    return max((int(value.removeprefix("bytes=").partition("-")[0]) for value in starts), default=0)


async def test_a_video_seeks_to_its_end(command: Command, browser: Chrome, tree: Path) -> None:
    await _seek_in(command, browser, tree)


async def _seek_in(command: Command, browser: Chrome, tree: Path) -> None:
    browser.get(f"{command.url}/video.html")
    found = await asyncio.to_thread(browser.execute_async_script, _SEEK)
    assert found == {"time": pytest.approx(_SECONDS - 1, abs=0.1), "duration": pytest.approx(_SECONDS, abs=0.1)}
    browser.get("about:blank")
    await eventually(lambda: _farthest(command) > 0.9 * (tree / "long.wav").stat().st_size)


async def test_a_video_in_a_bucket_seeks_to_its_end(s3_url: str, browser: Chrome, tree: Path) -> None:
    upstream = store_at(s3_url)
    for name in ("long.wav", "video.html"):
        await obstore.put_async(upstream, name, tree / name)
    async with serving(s3_url, "--access-log", "json") as command:
        await _seek_in(command, browser, tree)


async def test_a_video_in_a_database_seeks_to_its_end(database: str, browser: Chrome, tree: Path) -> None:
    long, sample = (tree / "long.wav").read_bytes(), files("async_downloads.site").joinpath("static", "sample.webm")
    await fill(database, **{"long.wav": long})
    await fill(database, **{"sample.webm": sample.read_bytes()})
    options = ("--database", database, "--file-ids", "integer", "--hidden", "--access-log", "json")
    async with serving(tree, *options) as command:
        for number, seconds in ((1, _SECONDS), (2, 12)):
            browser.get(f"{command.url}/.stored-{number}.html")
            found = await asyncio.to_thread(browser.execute_async_script, _SEEK)
            assert found == {"time": pytest.approx(seconds - 1, abs=0.1), "duration": pytest.approx(seconds, abs=0.1)}
        browser.get("about:blank")
        await eventually(lambda: _farthest(command, "/files/download/1?inline") > 0.9 * len(long))


async def test_a_download_is_saved_under_its_name(
    command: Command, browser: Chrome, tree: Path, downloads: Path
) -> None:
    browser.get(f"{command.url}/")
    browser.find_element(By.CSS_SELECTOR, "button[aria-label='Download naïve report.bin']").click()
    saved, content = downloads / "naïve report.bin", (tree / "naïve report.bin").read_bytes()
    # The browser first makes an empty file with that name, and renames the download to it at the end.
    await eventually(lambda: saved.exists() and saved.stat().st_size >= len(content))
    assert saved.read_bytes() == content


async def test_an_archive_continues_after_the_network_has_failed(
    command: Command, browser: Chrome, downloads: Path
) -> None:
    saved, relay = downloads / "files.zip", Relay(server=command.server.port, breaks_after=30_000_000)
    async with relay.listening() as port:
        await asyncio.to_thread(browser.get, f"http://127.0.0.1:{port}/?zip")
        whole = await asyncio.to_thread(command.get, "/?zip")
        await eventually(lambda: saved.exists() and saved.stat().st_size >= len(whole.content))
    assert saved.read_bytes() == whole.content
    await eventually(lambda: _logged(command).count(("/?zip", 206)) >= 2)


async def test_the_listing_is_styled_and_the_console_stays_empty(command: Command, browser: Chrome) -> None:
    browser.get(f"{command.url}/")
    links = [link.text for link in browser.find_elements(By.CSS_SELECTOR, "#list a")]
    assert links == ["a:<b>&'c'.txt", "long.wav", "naïve report.bin", "video.html"]
    row = browser.find_element(By.CSS_SELECTOR, "#list li")
    assert row.value_of_css_property("display") == "grid"  # the Content-Security-Policy allows the style
    assert console_of(browser) == []
    browser.get(browser.find_element(By.LINK_TEXT, "a:<b>&'c'.txt").get_attribute("href") or "")
    await eventually(lambda: _text(browser) == "found")


def _text(browser: Chrome) -> str:
    """Return the text of the page, or an empty text while the browser leaves it."""
    with suppress(WebDriverException):
        return browser.find_element(By.TAG_NAME, "body").text
    return ""
