"""The page in Chromium: with and without its script, on a phone, by keys, in the dark, for screen readers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from zipfile import ZipFile

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tools.chromium import chromium, console_of, show_as, violations_of, wait_until
from tools.command import Command, serving
from tools.shown_folder import SHOWN, make_shown_folder

pytestmark = pytest.mark.timeout(240)

_BY_NAME = ["album", "docs", "a-very", "annual", "dataset", "harbour-1.", "harbour-2", "harbour-10", "invoice"]
_PAGES = {
    "list": "",
    "grid": "?view=grid",
    "selection": "?select=1",
    "filtered": "?q=harbour",
    "top": "../../",
    "text": "stormy.py?view",
    "markdown": "README.md?view",
    "picture": "harbour-2.svg?view",
    "video": "survey.webm?view",
    "sound": "theme.wav?view",
    "other": "dataset-2026-11.tar.zst?view",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of each kind."""
    folder = tmp_path_factory.mktemp("shown")
    make_shown_folder(folder)
    return folder


@pytest.fixture
async def command(folder: Path) -> AsyncIterator[Command]:
    """A server of the folder."""
    async with serving(folder) as command:
        yield command


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    """A browser with a window of 1280 pixels."""
    with chromium(tmp_path) as browser:
        show_as(browser, 1280)
        yield browser


@pytest.fixture
def opened(command: Command, browser: Chrome) -> Callable[[str], None]:
    """Return a function that opens a page below the shown folder."""
    return lambda target: browser.get(f"{command.url}{SHOWN}{target}")


def _all(browser: Chrome, selector: str) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, selector)


def _one(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def _names(browser: Chrome) -> list[str]:
    rows = _all(browser, "#list li:not(.up)")
    return [row.find_element(By.TAG_NAME, "bdi").text for row in rows if row.is_displayed()]


def _are(names: list[str], beginnings: list[str]) -> bool:
    return [name[: len(start)] for name, start in zip(names, beginnings, strict=False)] == beginnings


def _query(browser: Chrome) -> dict[str, list[str]]:
    """Return the query of the URL, which Chromium may show a moment after a script has changed it."""
    return parse_qs(urlsplit(browser.current_url).query)


def _focused_link(browser: Chrome) -> str:
    return browser.switch_to.active_element.get_attribute("href") or ""


def _without_script(browser: Chrome) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})


@pytest.fixture(params=["with its script", "without a script"])
def any_browser(browser: Chrome, request: pytest.FixtureRequest) -> Chrome:
    """A browser that runs scripts, or one that does not."""
    if request.param == "without a script":
        _without_script(browser)
    return browser


async def test_the_columns_sort_either_way_and_the_url_says_how(
    any_browser: Chrome, opened: Callable[[str], None]
) -> None:
    opened("")
    assert _are(_names(any_browser), _BY_NAME)
    _one(any_browser, "button[name=sort][value=size]").click()
    wait_until(any_browser, lambda: _names(any_browser)[2].startswith("dataset"))
    wait_until(any_browser, lambda: _query(any_browser).get("sort") == ["size"])
    _one(any_browser, "button[name=sort][value=size]").click()
    wait_until(any_browser, lambda: _names(any_browser)[-1].startswith("dataset"))
    wait_until(any_browser, lambda: _query(any_browser) == {"sort": ["size"], "order": ["asc"]})
    _one(any_browser, "button[name=sort][value=name]").click()
    wait_until(any_browser, lambda: _are(_names(any_browser), _BY_NAME))
    _one(any_browser, "button[name=sort][value=name]").click()
    wait_until(any_browser, lambda: _names(any_browser)[0] == "docs")


async def test_the_filter_shows_only_what_has_all_its_words(any_browser: Chrome, opened: Callable[[str], None]) -> None:
    opened("?sort=size")
    _one(any_browser, "input[name=q]").send_keys("SVG harb", Keys.ENTER)
    wait_until(any_browser, lambda: sorted(_names(any_browser)) == ["harbour-1.svg", "harbour-10.svg", "harbour-2.svg"])
    wait_until(any_browser, lambda: _one(any_browser, "#count").text.startswith("3 of 14 entries"))
    kept = {"sort": ["size"], "q": ["SVG harb"]}
    wait_until(any_browser, lambda: _query(any_browser) == kept)
    _one(any_browser, "button[name=select]").click()
    wait_until(any_browser, lambda: len(_all(any_browser, "input[type=checkbox]")) == 3)
    wait_until(any_browser, lambda: _query(any_browser) == {**kept, "select": ["1"]})


async def test_the_grid_shows_pictures(any_browser: Chrome, opened: Callable[[str], None]) -> None:
    opened("?sort=size&order=asc")
    _one(any_browser, "button[name=view][value=grid]").click()
    wait_until(any_browser, lambda: len(_all(any_browser, "#list.grid img")) == 3)
    wait_until(any_browser, lambda: _query(any_browser) == {"sort": ["size"], "order": ["asc"], "view": ["grid"]})
    assert _one(any_browser, "#list video").get_attribute("preload") == "none"
    assert {image.get_attribute("loading") for image in _all(any_browser, "#list img")} == {"lazy"}


async def test_the_path_leads_up(any_browser: Chrome, opened: Callable[[str], None]) -> None:
    opened("")
    _all(any_browser, "nav button")[1].click()
    wait_until(any_browser, lambda: _names(any_browser) == ["2026"])


async def test_a_selection_is_downloaded_as_a_zip(
    any_browser: Chrome, opened: Callable[[str], None], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    opened("")
    _one(any_browser, "button[name=select]").click()
    wait_until(any_browser, lambda: len(_all(any_browser, "input[type=checkbox]")) == 14)
    if request.node.callspec.params["any_browser"] == "with its script":
        wait_until(any_browser, lambda: not _one(any_browser, "#z [name=zip]").is_enabled())  # nothing is selected yet
    for name in ("docs", "stormy.py"):
        _one(any_browser, f"input[type=checkbox][value='{name}']").click()
    _one(any_browser, "#z [name=zip]").click()
    saved = tmp_path / "downloads" / "2026.zip"
    wait_until(any_browser, lambda: saved.exists() and saved.stat().st_size)
    with ZipFile(saved) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    assert {name.rpartition("/")[2] for name in names} == {f"chapter-{n}.md" for n in range(1, 8)} | {"stormy.py"}


async def test_a_click_previews_a_file_and_keys_turn_the_pictures(
    browser: Chrome, opened: Callable[[str], None]
) -> None:
    opened("")
    _one(browser, "a[href='harbour-1.svg']").click()
    wait_until(browser, lambda: browser.current_url.endswith("harbour-1.svg?view"))
    for key, name in (
        (Keys.ARROW_RIGHT, "harbour-2"),
        (Keys.ARROW_RIGHT, "harbour-10"),
        (Keys.ARROW_LEFT, "harbour-2"),
    ):
        _one(browser, "body").send_keys(key)
        wait_until(browser, lambda name=name: browser.current_url.endswith(f"{name}.svg?view"))  # type: ignore[misc]
    width = "return document.querySelector('.stage img').naturalWidth"
    wait_until(browser, lambda: browser.execute_script(width) == 960)
    _one(browser, "body").send_keys(Keys.BACKSPACE)
    wait_until(browser, lambda: browser.current_url.endswith(SHOWN))


async def test_the_list_can_be_used_by_keys_alone(browser: Chrome, opened: Callable[[str], None]) -> None:
    opened("")
    _one(browser, "body").send_keys("/")
    wait_until(browser, lambda: browser.switch_to.active_element.get_attribute("name") == "q")
    browser.switch_to.active_element.send_keys("STORMY", Keys.ESCAPE)
    wait_until(browser, lambda: _names(browser) == ["stormy.py"])
    assert _one(browser, "input[name=q]").get_attribute("value") == "STORMY"  # as long as the list is filtered
    _one(browser, "body").send_keys("jjjj")
    wait_until(browser, lambda: _focused_link(browser).endswith("stormy.py"))
    browser.switch_to.active_element.send_keys("k")
    wait_until(browser, lambda: _focused_link(browser).endswith("/projects/"))
    browser.switch_to.active_element.send_keys("j")
    wait_until(browser, lambda: _focused_link(browser).endswith("stormy.py"))
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    wait_until(browser, lambda: browser.current_url.endswith("stormy.py?view"))
    opened("album/")
    _one(browser, ".menu summary").click()
    wait_until(browser, lambda: _all(browser, ".menu[open]"))
    _one(browser, "body").send_keys(Keys.ESCAPE)
    wait_until(browser, lambda: not _all(browser, ".menu[open]"))
    _one(browser, "body").send_keys(Keys.BACKSPACE)
    wait_until(browser, lambda: browser.current_url.endswith(SHOWN))


_SEEK = """
const done = arguments[arguments.length - 1], video = document.querySelector("video");
const track = video.textTracks[0];
const cues = () => [...(track.activeCues ?? [])].map((cue) => cue.text);
video.addEventListener("error", () => done([video.error.message]));
const seek = () => { video.currentTime = 8; };
video.addEventListener("seeked", () => {
  const wait = () => (cues().length ? done([Math.round(video.currentTime), ...cues()]) : setTimeout(wait, 20));
  wait();
}, {once: true});
if (video.readyState >= 1) seek(); else video.addEventListener("loadedmetadata", seek, {once: true});
"""


async def test_a_video_seeks_and_shows_its_subtitles(browser: Chrome, opened: Callable[[str], None]) -> None:
    opened("survey.webm?view")
    found = await asyncio.to_thread(browser.execute_async_script, _SEEK)
    assert found == [8, "And this is the end of it."]


async def test_dates_are_local(browser: Chrome, opened: Callable[[str], None]) -> None:
    browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    opened("")
    time = _one(browser, "#list time")
    assert (time.get_attribute("datetime") or "")[11:16] != time.text[11:16]
    assert "UTC" in (time.get_attribute("title") or "")


async def test_the_link_of_a_file_is_copied(browser: Chrome, opened: Callable[[str], None]) -> None:
    opened("stormy.py?view")
    browser.execute_script(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (text) => { window.copied = text; }}})"
    )
    _one(browser, "[data-copy]").click()
    wait_until(browser, lambda: _one(browser, "[data-copy]").text == "Copied")
    copied = browser.execute_script("return window.copied")
    assert copied == browser.current_url.removesuffix("?view")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_every_page_fits_its_window_and_is_accessible(
    browser: Chrome, opened: Callable[[str], None], width: int, dark: bool
) -> None:
    show_as(browser, width, dark=dark)
    for name, target in _PAGES.items():
        opened(target)
        wait_until(browser, lambda: browser.execute_script("return document.documentElement.scrollWidth") == width)
        colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (name, colour) == (name, "rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)")
        assert (name, await asyncio.to_thread(violations_of, browser)) == (name, [])
        assert (name, console_of(browser)) == (name, [])


_SMALL = """
return [...document.querySelectorAll("a, button, summary, input:not([type=hidden]):not([type=checkbox])")]
  .filter((each) => each.checkVisibility() && !each.closest("article"))
  .map((each) => [each.outerHTML.slice(0, 80), (each.closest("#list li > a") ? each.parentElement : each)])
  .filter(([, each]) => each.getBoundingClientRect().height < 43.9)
  .map(([html]) => html)
"""


async def test_on_a_phone_every_target_is_large_enough_for_a_finger(
    browser: Chrome, opened: Callable[[str], None]
) -> None:
    show_as(browser, 390)
    for target in ("", "?view=grid", "?select=1", "stormy.py?view"):
        opened(target)
        wait_until(browser, lambda: browser.execute_script(_SMALL) == [])  # the width of a phone takes a moment


async def test_a_long_name_has_at_most_three_lines(browser: Chrome, opened: Callable[[str], None]) -> None:
    show_as(browser, 390)
    opened("")
    link = _one(browser, "#list a[title]")
    wait_until(browser, lambda: link.find_element(By.TAG_NAME, "bdi").size["height"] <= 3 * 22)
    assert unquote((link.get_attribute("href") or "").rpartition("/")[2]) == link.get_attribute("title")


async def test_a_name_that_turns_the_direction_of_text_is_shown_with_a_mark(
    browser: Chrome, opened: Callable[[str], None]
) -> None:
    opened("?q=invoice")
    assert _names(browser) == ["invoiceU+202Egpj.exe"]


async def test_an_error_page_leads_back(browser: Chrome, opened: Callable[[str], None]) -> None:
    opened("none.txt")
    assert _one(browser, "h1").text == "404 Not Found"
    assert await asyncio.to_thread(violations_of, browser) == []
    _one(browser, "a").click()
    wait_until(browser, lambda: _are(_names(browser), _BY_NAME))
