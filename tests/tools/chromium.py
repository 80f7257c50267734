"""A Chromium of its own for a test or a script."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from harness.ports import reserved_port
from harness.waiting import HANGING
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from tools.programs import need

__all__ = ["Violation", "chromium", "console_of", "show_as", "violations_of", "wait_until"]

_FLAGS: Final = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync"
)
_CHECK: Final = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"], iframes: false, preload: false}).then(
  (results) => done(results.violations.flatMap((rule) => rule.nodes.map((node) => [rule.id, node.html]))),
  (error) => done([["error", String(error)]]),
);
"""
Violation = tuple[str, str]


@contextmanager
def chromium(folder: Path) -> Iterator[Chrome]:
    """Start a browser whose profile, and whose folder `downloads`, are in a folder; end it at the end."""
    options = ChromeOptions()
    options.binary_location = need("chromium")
    for flag in (*_FLAGS.split(), f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder / "downloads")})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with reserved_port() as port:
        browser = Chrome(options=options, service=Service(executable_path=need("chromedriver"), port=port))
        try:
            browser.set_script_timeout(HANGING)
            browser.set_page_load_timeout(HANGING)
            yield browser
        finally:
            browser.quit()


def show_as(browser: Chrome, width: int, *, dark: bool = False, height: int = 900, scale: int = 1) -> None:
    """Make the browser a window of that width, narrow ones a phone's, in a light or dark scheme."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    _command(browser, "Emulation.setDeviceMetricsOverride", metrics)
    _command(browser, "Emulation.setEmulatedMedia", {"features": [scheme]})


def wait_until(browser: Chrome, condition: Callable[[], Any]) -> None:
    """Wait until a condition holds, also while the browser goes to another page, which has no rows at first."""
    ignored = [WebDriverException, IndexError]
    WebDriverWait(browser, HANGING, poll_frequency=0.05, ignored_exceptions=ignored).until(lambda _: condition())


def _command(browser: Chrome, name: str, arguments: dict[str, Any]) -> None:
    browser.execute_cdp_cmd(name, arguments)


def console_of(browser: Chrome) -> list[str]:
    """Return the messages in the console since the last call, among them violations of the security policy."""
    return [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call] # selenium's


def violations_of(browser: Chrome) -> list[Violation]:
    """Return the faults that axe finds in the accessibility of the page: the rule and the element."""
    axe = files("axe_core_python").joinpath("axe.min.js")
    browser.execute_script(axe.read_text("utf-8"))
    found = browser.execute_async_script(_CHECK)
    return [(rule, html) for rule, html in found]
