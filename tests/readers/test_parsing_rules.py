"""How GDAL and httpdirfs read the page of a folder.

GDAL is hundreds of megabytes, and httpdirfs needs FUSE, which containers do not have. So their rules are written down
here (`/vsicurl/` of GDAL 3, `ParseHTMLFileList`; httpdirfs 1.2, `HTML_to_LinkTable`).
"""

import re
from html.parser import HTMLParser
from urllib.parse import quote, unquote

import httpx
import pytest
from harness.waiting import HANGING

from readers.conftest import EXPECTED


def _page(url: str, path: str, accept: str) -> str:
    response = httpx.get(f"{url}{path}", headers={"Accept": accept}, timeout=HANGING)
    assert response.status_code == 200
    return response.text


def _as_gdal(page: str, path: str) -> list[str] | None:
    """Return the names that GDAL finds in the lines of the page of a folder; None if it takes it for no list.

    The title of a list names the folder. A list has one table at most. A line has one link; its attribute comes first.
    """
    titles = {f"<title>Index of {name}{slash}</title>" for name in (path, unquote(path)) for slash in ("", "/")}
    names: list[str] = []
    is_list = False
    if page.count("<table") > 1:
        return None
    for line in page.splitlines():
        link = re.search(r'<a href="([^"]*)"', line)
        if not is_list:
            is_list = any(title in line for title in titles)
        elif link and '<a href="http://' not in line and "Parent Directory" not in line:
            name = link[1].removesuffix("/").rpartition("/")[2]
            if not link[1].startswith(("?C=", "?N=")) and name not in {".", ".."}:
                names.append(name)
    return names if is_list else None


class _Links(HTMLParser):
    """The targets of all links."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and (target := dict(attrs).get("href")):
            self.targets.append(target)


def _as_httpdirfs(page: str) -> list[str]:
    """Return the names that httpdirfs finds in a page: of each printable target without a slash, except at its end."""
    links = _Links()
    links.feed(page)
    links.close()
    return [
        target
        for target in dict.fromkeys(links.targets)
        if target != "../" and target.isascii() and target.isprintable() and "/" not in target[:-1] and target != "/"
    ]


def _quoted(below: str) -> list[str]:
    """Return the quoted names directly below a folder of the tree, those of folders with a slash."""
    names = {name.removeprefix(below) for name in EXPECTED if name.startswith(below)}
    return sorted({quote(name.partition("/")[0], safe="") + "/" * ("/" in name) for name in names})


ACCEPTED = pytest.mark.parametrize("accept", ["*/*", "text/html,application/xhtml+xml,*/*;q=0.8"], ids=["any", "html"])


@ACCEPTED
@pytest.mark.parametrize("below", ["", "deep/", "deep/er/"])
def test_gdal_finds_all_names(url: str, below: str, accept: str) -> None:
    path = f"/data/{below}".removesuffix("/")  # GDAL leaves out the slash, and follows the redirect
    found = _as_gdal(_page(url, f"{path}/", accept), path)
    assert found is not None
    assert sorted(found) == [name.removesuffix("/") for name in _quoted(below)]


@ACCEPTED
@pytest.mark.parametrize("below", ["", "deep/", "deep/er/"])
def test_httpdirfs_finds_all_names_and_nothing_else(url: str, below: str, accept: str) -> None:
    assert sorted(_as_httpdirfs(_page(url, f"/data/{below}", accept))) == _quoted(below)
