"""Take the pictures of the page for README: `PYTHONPATH=.:tests python -m tools.take_screenshots docs`.

Each picture is taken in light and dark. Look at them before you commit them.
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tools.chromium import chromium, show_as
from tools.command import serving
from tools.shown_folder import SHOWN, make_shown_folder

_LOADED: Final = "return [...document.images].every((image) => image.complete || !image.checkVisibility())"


class _Picture(NamedTuple):
    name: str
    target: str
    width: int
    height: int


_PICTURES: Final = (
    _Picture("list", "", 1280, 1180),
    _Picture("grid", "?view=grid", 1280, 860),
    _Picture("phone", "", 390, 860),
    _Picture("phone-grid", "?view=grid", 390, 860),
    _Picture("text", "stormy.py?view", 1280, 640),
    _Picture("video", "survey.webm?view", 1280, 640),
)


def _take(browser: Chrome, url: str, picture: _Picture, folder: Path) -> None:
    for scheme in ("light", "dark"):
        show_as(browser, picture.width, dark=scheme == "dark", height=picture.height)
        browser.get(f"{url}{SHOWN}{picture.target}")
        browser.find_element(By.TAG_NAME, "main")
        WebDriverWait(browser, 30).until(lambda browser: browser.execute_script(_LOADED))
        browser.save_screenshot(str(folder / f"page-{picture.name}-{scheme}.png"))


async def _main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with TemporaryDirectory() as scratch:
        served = Path(scratch, "served")
        make_shown_folder(served)
        async with serving(served) as command:
            with chromium(Path(scratch)) as browser:
                for name in ("album", "docs"):  # a folder that was listed lately is shown with its number of entries
                    browser.get(f"{command.url}{SHOWN}{name}/")
                for picture in _PICTURES:
                    _take(browser, command.url, picture, folder)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
