"""Errors: a page with a way back for a browser, one line for any other client."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from async_downloads.config import Settings
from served_site.conftest import SiteOf
from served_site.page import read
from served_site.site import Site


@pytest.fixture
async def site(site_of: SiteOf, tmp_path: Path) -> Site:
    """A folder with one file, and a route."""
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.txt").write_text("found")
    return await site_of(Settings(directory=folder, download_file=folder / "none.txt"))


@pytest.mark.parametrize(
    ("target", "method", "fields", "status", "links"),
    [
        ("/none", "GET", {}, 404, ["/"]),
        ("/sub/none/", "GET", {}, 404, ["../", "/"]),
        ("/none/", "GET", {}, 404, ["/"]),
        ("/sub/none?view", "GET", {}, 404, ["./", "/"]),
        ("/", "POST", {}, 405, ["/"]),
        ("/sub/a.txt", "GET", {"range": "bytes=99-"}, 416, ["./", "/"]),
        ("/sub/a.txt", "GET", {"if_match": '"other"'}, 412, ["./", "/"]),
        ("/download", "GET", {}, 404, ["/"]),
    ],
)
async def test_a_browser_gets_a_page_with_a_way_back(
    site: Site, target: str, method: str, fields: dict[str, str], status: int, links: list[str]
) -> None:
    response = await site.ask(target, method, accept="text/html,*/*;q=0.8", **fields)
    assert (response.status_code, response.headers["content-type"]) == (status, "text/html; charset=utf-8")
    page = read(response.content)
    assert page.texts["h1"][0].startswith(f"{status} ")
    assert [target for target, _ in page.links] == links
    plain = await site.ask(target, method, accept="*/*", **fields)
    assert plain.status_code == status
    assert "text/html" not in plain.headers.get("content-type", "") or target == "/download"
    kept = set(plain.headers) - {"content-type", "content-length", "date"}
    assert {name: plain.headers[name] for name in kept} == {name: response.headers[name] for name in kept}


async def test_the_style_of_an_error_page_is_allowed_by_its_digest(site: Site) -> None:
    response = await site.get("/none", accept="text/html")
    style = response.text.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in response.headers["content-security-policy"]
    assert "<script" not in response.text


async def test_head_has_the_fields_of_get_and_no_body(site: Site) -> None:
    response, head = [await site.ask("/none", method, accept="text/html") for method in ("GET", "HEAD")]
    assert head.content == b""
    assert {**head.headers, "date": ""} == {**response.headers, "date": ""}
    assert int(head.headers["content-length"]) == len(response.content)


async def test_a_file_is_sent_to_a_browser_as_it_is(site: Site) -> None:
    assert (await site.get("/sub/a.txt", accept="text/html")).text == "found"
