"""A folder whose index.html is shown in the place of its listing."""

from pathlib import Path

import httpx
import pytest

from async_downloads.config import Settings
from served_site.conftest import SiteOf
from served_site.site import Site

INDEX = "<p>my page"


@pytest.fixture
async def shown(site_of: SiteOf, tree: Path) -> Site:
    """A site that shows the index.html of the folders `/` and `/images/sub/`."""
    for folder in (tree, tree / "images" / "sub"):
        (folder / "index.html").write_text(INDEX)
    return await site_of(Settings(directory=tree, index=True))


def _is_listing(response: httpx.Response) -> bool:
    return response.status_code == 200 and "Index of" in response.text


@pytest.mark.parametrize("target", ["/", "/images/sub/", "/images/sub", "/?sort=name"])
async def test_the_page_of_a_folder_is_shown_at_its_address(shown: Site, target: str) -> None:
    response = await shown.client.get(target, follow_redirects=True)
    assert (response.status_code, response.text) == (200, INDEX)
    assert response.headers["content-type"].startswith("text/html")


async def test_the_page_is_a_file_with_conditions_and_ranges(shown: Site) -> None:
    response = await shown.get("/")
    part = await shown.get("/", Range="bytes=3-4")
    assert (part.status_code, part.text) == (206, "my")
    assert (await shown.get("/", If_None_Match=response.headers["etag"])).status_code == 304
    head = await shown.ask("/", "HEAD")
    assert (head.headers["content-length"], head.content) == (str(len(INDEX)), b"")


async def test_caches_keep_the_page_and_the_listing_as_json_apart(shown: Site) -> None:
    page, listing = await shown.get("/"), await shown.get("/", Accept="application/json")
    for response in (page, listing):  # in one field: the cache of nginx before 1.23 reads only the last one
        (names,) = response.headers.get_list("vary")
        assert set(names.split(", ")) == {"Accept", "Accept-Encoding"}
    assert "secret.txt" in [entry["name"] for entry in listing.json()["entries"]]
    assert (await shown.get("/?json")).json() == listing.json()


async def test_a_folder_without_the_page_is_listed(shown: Site, tree: Path) -> None:
    assert _is_listing(await shown.get("/images/"))
    (tree / "csv" / "index.html").mkdir()
    assert _is_listing(await shown.get("/csv/"))
    assert (await shown.get("/no-such-folder/")).status_code == 404


async def test_the_page_must_be_inside_the_served_folder(shown: Site, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.html").write_text("outside")
    (tree / "csv" / "index.html").symlink_to(tmp_path / "outside.html")
    assert _is_listing(await shown.get("/csv/"))


async def test_without_the_setting_every_folder_is_listed(site_of: SiteOf, tree: Path) -> None:
    (tree / "index.html").write_text(INDEX)
    site = await site_of(Settings(directory=tree))
    assert _is_listing(await site.get("/"))
    assert (await site.get("/index.html")).text == INDEX
