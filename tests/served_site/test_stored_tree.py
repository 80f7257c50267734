"""The files of a database by their names: the pages of a folder, when the list of files is on."""

from dataclasses import replace
from urllib.parse import quote, urljoin

import pytest
from tools.databases import database as database  # noqa: PLC0414
from tools.databases import postgres as postgres  # noqa: PLC0414
from tools.databases import sqlite as sqlite  # noqa: PLC0414

from served_site.conftest import SiteOf
from served_site.page import read
from served_site.stock import DATA, NAME, Stock
from served_site.stock import more as more  # noqa: PLC0414
from served_site.stock import stock as stock  # noqa: PLC0414

with_a_note = pytest.mark.parametrize("more", [{"reports/notes.md": b"# Notes\n"}], ids=["note"])


@with_a_note
async def test_a_browser_gets_a_page_of_folders_and_files(stock: Stock) -> None:
    first = await stock.site.get("/files", accept="text/html")
    assert (first.status_code, urljoin("/files", first.headers["location"])) == (301, "/files/")
    top = await stock.site.get("/files/", accept="text/html")
    assert read(top.content).targets == ["reports/"]
    below = read((await stock.site.get("/files/reports/", accept="text/html")).content)
    assert below.targets == [quote(name.removeprefix("reports/")) for name in (NAME, "reports/notes.md")]
    assert (await stock.site.get(f"/files/{quote(NAME)}")).content == DATA
    assert "Notes</h2>" in (await stock.site.get("/files/reports/notes.md?view", accept="text/html")).text


async def test_a_program_gets_the_digest_of_each_file(stock: Stock) -> None:
    (entry,) = (await stock.site.get("/files/reports/?json")).json()["entries"]
    assert entry["digest"] == f"sha256:{stock.files[NAME].sha256.hex()}"
    assert (await stock.site.get(f"/files/reports/{entry['url']}")).content == DATA


async def test_the_page_loads_its_style_below_its_own_route(stock: Stock) -> None:
    page = (await stock.site.get("/files/reports/", accept="text/html")).text
    style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert (await stock.site.get(urljoin("/files/reports/", style))).headers["content-type"].startswith("text/css")


async def test_without_the_list_no_file_is_found_by_its_name(stock: Stock, site_of: SiteOf) -> None:
    site = await site_of(replace(stock.settings, list_files=False))
    for target in ("/files", "/files/", "/files/reports/", f"/files/{quote(NAME)}"):
        assert (await site.get(target, accept="text/html")).status_code == 404
