"""The documentation builds without a warning, its links lead somewhere, and it describes every public name.

Links to other sites are not followed: tests need no network. HOSTS lists these sites, so that a new one is seen.
"""

import subprocess
import sys
import tomllib
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from harness.waiting import HANGING
from test_public import NAMES

from async_downloads.cli import cli

from .page import DOCS, PAGES

HOSTS: Final = {
    *("127.0.0.1", "docs.astral.sh", "pipx.pypa.io", "quart.palletsprojects.com"),
    *("github.com", "pradyunsg.me", "www.sphinx-doc.org"),  # of the theme
}


_PACKAGES: Final = {  # by extra
    "demo": "fpdf",
    "metrics": "prometheus_client",
    "postgres": "asyncpg",
    "s3": "obstore",
    "socks": "socksio",
    "starlette": "starlette",
    "uvloop": "uvloop",
}


class _Html(HTMLParser):
    """The ids and the tags of a page of the site, and the targets of its links."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = {""}
        self.tags: set[str] = set()
        self.targets: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name in {"href", "src", "srcset"} and value and tag != "link":
                self.targets.add(value)


def _other_packages() -> list[str]:
    """Return the optional packages that the extra `docs` does not install. The site must build without them."""
    extras = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    own = next(each for each in extras["docs"] if each.startswith("async-downloads["))
    return [package for extra, package in _PACKAGES.items() if extra not in own]


def test_the_site_is_complete_and_its_links_lead_somewhere(tmp_path: Path) -> None:
    options = ("-q", "-W", "-n", "--keep-going", "-d", f"{tmp_path}/doctrees")
    build = f"import sys; sys.modules |= dict.fromkeys({_other_packages()}); import sphinx.__main__"
    command = [sys.executable, "-c", build, *options, f"{DOCS}", f"{tmp_path}/html"]
    built = subprocess.run(command, capture_output=True, text=True, timeout=4 * HANGING, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    site = {path: _Html(path) for path in (tmp_path / "html").rglob("*.html")}
    assert {page.removesuffix(".md") + ".html" for page in PAGES} <= {_below(path, tmp_path) for path in site}
    assert sorted(_broken(site)) == []
    assert {urlsplit(url).hostname for page in site.values() for url in page.targets if "//" in url} <= HOSTS
    assert [path for path, page in site.items() if "blockquote" in page.tags] == [], "a docstring lacks :: before code"
    assert sorted({name for _, name in NAMES} - _described(tmp_path / "html")) == []
    settings = (tmp_path / "html/guide/settings.html").read_text("utf-8")
    assert '<code class="option docutils literal notranslate"><span class="pre">--cors=' in settings
    commands = site[tmp_path / "html/reference/cli.html"]
    assert {f"async-downloads-{name}" for name in cli.commands} <= commands.ids


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder / "html").as_posix()


def _broken(site: dict[Path, _Html]) -> Iterator[str]:
    """Yield each link inside of the site that leads to no page, or to no place of its page."""
    for path, page in site.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            found = unquote(parts.fragment) in site[there].ids if there in site else there.is_file()
            if not found:
                yield f"{path.name}: {target}"


def _described(html: Path) -> set[str]:
    """Return the names of the Python objects that the site describes, as its inventory lists them."""
    compressed = (html / "objects.inv").read_bytes().split(b"\n", 4)[4]  # after four lines of comments
    lines = (line.split(" ") for line in zlib.decompress(compressed).decode().splitlines())
    return {name.rpartition(".")[2] for name, kind, *_ in lines if kind.startswith("py:")}
