"""Private files in Chromium: a site with a password, and a signed link to a folder."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from async_downloads import sign_url
from tools.chromium import chromium, console_of, wait_until
from tools.command import Command, serving
from tools.shown_folder import SHOWN, make_shown_folder

pytestmark = pytest.mark.timeout(240)

_SECRET = "a secret of the tests"
_SEEK = """
const done = arguments[arguments.length - 1], video = document.querySelector("video");
video.addEventListener("error", () => done(video.error.message));
video.addEventListener("seeked", () => done(Math.round(video.currentTime)), {once: true});
const seek = () => { video.currentTime = 8; };
if (video.readyState >= 1) seek(); else video.addEventListener("loadedmetadata", seek, {once: true});
"""
# A document in a sandbox may run its scripts. It must not read the other files with the password of its reader.
_SPY = """<!DOCTYPE html><title>spy</title><script>
fetch("stormy.py").then((response) => response.text()).then(() => { document.title = "read"; },
                                                           () => { document.title = "kept out"; });
</script>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of each kind."""
    folder = tmp_path_factory.mktemp("shown")
    make_shown_folder(folder)
    (folder / SHOWN.strip("/") / "spy.html").write_text(_SPY)
    return folder


@pytest.fixture
async def command(folder: Path) -> AsyncIterator[Command]:
    """A server of the folder that asks for a password."""
    env = {"ASYNC_DOWNLOADS_AUTH": "me:secret", "ASYNC_DOWNLOADS_SECRET": _SECRET}
    async with serving(folder, "--access-log", "json", env=env) as command:
        yield command


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    """A browser."""
    with chromium(tmp_path) as browser:
        yield browser


def _one(browser: Chrome, selector: str) -> Any:
    return browser.find_element(By.CSS_SELECTOR, selector)


async def _use(browser: Chrome, downloads: Path) -> None:
    """Use the page of the folder that the browser shows: sort, preview, play, save as a zip, open a document."""
    _one(browser, "button[name=sort][value=size]").click()
    wait_until(browser, lambda: _one(browser, "button[name=sort].on").get_attribute("value") == "size")
    assert _one(browser, "#list li").value_of_css_property("display") == "grid"  # the page has its style
    _one(browser, "#z button[name=zip]").click()
    saved = downloads / "2026.zip"
    wait_until(browser, lambda: saved.exists() and saved.stat().st_size)
    with ZipFile(saved) as archive:
        assert archive.testzip() is None
        assert "2026/stormy.py" in archive.namelist()
    _one(browser, "a[href='harbour-1.svg']").click()
    wait_until(
        browser, lambda: browser.execute_script("return document.querySelector('.stage img').naturalWidth") == 960
    )
    browser.back()
    wait_until(browser, lambda: _one(browser, "a[href='survey.webm']").is_displayed())
    _one(browser, "a[href='survey.webm']").click()
    wait_until(browser, lambda: _one(browser, "video"))
    assert await asyncio.to_thread(browser.execute_async_script, _SEEK) == 8
    assert console_of(browser) == []
    browser.get(browser.current_url.partition("survey.webm")[0] + "spy.html")
    wait_until(browser, lambda: browser.title == "kept out")


async def test_a_site_with_a_password_is_used_as_any_other(command: Command, browser: Chrome, tmp_path: Path) -> None:
    browser.get(command.url.replace("//", "//me:secret@"))  # from now on the browser knows the password
    browser.get(f"{command.url}{SHOWN}")
    await _use(browser, tmp_path / "downloads")


async def test_a_signed_folder_is_used_without_a_password(command: Command, browser: Chrome, tmp_path: Path) -> None:
    url = sign_url(f"{command.url}{SHOWN}*", secret=_SECRET, expires=timedelta(hours=1))
    browser.get(url)
    await _use(browser, tmp_path / "downloads")
    assert url.partition("signature=")[2] not in command.stdout
    browser.get(f"{command.url}{SHOWN}docs/")
    wait_until(browser, lambda: _one(browser, "#list"))
    assert command.get("/").status_code == 401
    browser.get(f"{url}&x=1".replace("signature=f", "signature=x"))
    assert _one(browser, "h1").text == "403 Forbidden"
