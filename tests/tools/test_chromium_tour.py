"""Chromium takes the tour of `demo`, on a screen and on a phone, in light and dark."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tools.chromium import chromium, console_of, show_as, violations_of, wait_until
from tools.command import ANY_PORT, Command, running

pytestmark = pytest.mark.timeout(240)

_PLAYED = """
const done = arguments[arguments.length - 1], video = document.querySelector("video");
const track = video.textTracks[0];
video.addEventListener("seeked", () => {
  const show = () => done([video.currentTime, [...track.activeCues].map(cue => cue.text)]);
  if (track.activeCues.length) show(); else track.addEventListener("cuechange", show, {once: true});
}, {once: true});
const seek = () => { video.currentTime = 7.5; };
if (video.readyState >= 1) seek(); else video.addEventListener("loadedmetadata", seek, {once: true});
"""
_WIDTH = "return document.documentElement.scrollWidth"
_PICTURES = """
const done = arguments[arguments.length - 1], pictures = [...document.querySelectorAll("img")];
for (const picture of pictures) picture.loading = "eager";
Promise.all(pictures.map(picture => picture.decode())).then(() => done(pictures.length), error => done(String(error)));
"""


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Command]:
    """The demo, whose temporary folder is below the test's."""
    async with running("demo", *ANY_PORT, env={"TMPDIR": str(tmp_path)}) as command:
        yield command


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    """A browser of its own."""
    with chromium(tmp_path) as browser:
        yield browser


async def test_the_tour_shows_pictures_and_a_video_with_subtitles(demo: Command, browser: Chrome) -> None:
    browser.get(f"{demo.url}/tour.html")
    assert await asyncio.to_thread(browser.execute_async_script, _PICTURES) == 6
    time, cues = await asyncio.to_thread(browser.execute_async_script, _PLAYED)
    assert (time, cues) == (pytest.approx(7.5, abs=0.1), ["This is second 7."])
    assert console_of(browser) == []


async def test_the_tour_fits_every_window_and_is_accessible(demo: Command, browser: Chrome) -> None:
    for width, dark in ((390, False), (390, True), (1280, False), (1280, True)):
        show_as(browser, width, dark=dark)
        browser.get(f"{demo.url}/tour.html")
        wait_until(browser, lambda: browser.execute_script(_WIDTH) == width)  # noqa: B023 # it is called at once
        assert violations_of(browser) == []
