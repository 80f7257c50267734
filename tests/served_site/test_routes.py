"""The download routes: what each serves and refuses."""

from pathlib import Path
from typing import cast

import httpx
import pytest
from conftest import Serve
from harness.asgi import App
from harness.waiting import HANGING
from quart import Quart

from async_downloads.config import Settings
from async_downloads.site.routes import downloads
from served_site.conftest import IMAGE_ID, SiteOf
from served_site.site import Site

_FOUND = [
    pytest.param("/download", "a,b\r\n1,2\r\n", "sales.csv", id="download"),
    pytest.param("/download/001.png", "one", "001.png", id="download-image"),
    pytest.param("/download2/001.png", "one", "001.png", id="download2-top"),
    pytest.param("/download2/sub/deep.png", "deep", "deep.png", id="download2-nested"),
    pytest.param("/get-csv/sales", "a,b\r\n1,2\r\n", "sales.csv", id="csv"),
    pytest.param("/get-csv/sales.csv", "a,b\r\n1,2\r\n", "sales.csv", id="csv-with-its-ending"),
    pytest.param("/get-csv/2026/october.csv", "c\r\n", "october.csv", id="csv-nested"),
    pytest.param("/get-pdf/invoice", "%PDF-1.4 invoice", "invoice.pdf", id="pdf"),
    pytest.param("/get-pdf/invoice.pdf", "%PDF-1.4 invoice", "invoice.pdf", id="pdf-with-its-ending"),
    pytest.param(f"/get-pdf/{IMAGE_ID}", "%PDF-1.4 by id", f"{IMAGE_ID}.pdf", id="pdf-by-id"),
    pytest.param("/get-report/2026/q3/summary.txt", "all is well", "summary.txt", id="report"),
]
_SHOWN = [
    pytest.param("/get-image/001.png", "one", "image/png", id="by-name"),
    pytest.param("/get-image/1", "one", "image/png", id="by-number"),
    pytest.param("/get-image/007", "seven", "image/jpeg", id="by-number-with-zeros"),
    pytest.param(f"/get-image/{IMAGE_ID}", "by id", "image/png", id="by-id"),
    pytest.param(f"/get-image/{IMAGE_ID.upper()}", "by id", "image/png", id="by-id-in-capitals"),
]
ROUTES = (
    "/download",
    "/download/001.png",
    "/download2/sub/deep.png",
    "/get-image/001.png",
    "/get-image/7",
    f"/get-image/{IMAGE_ID}",
    "/get-csv/sales",
    "/get-csv/2026/october.csv",
    "/get-pdf/invoice",
    "/get-report/2026/q3/summary.txt",
    "/pdf/send-file",
    "/pdf/response",
    "/pdf/make-response",
)
_SETTINGS = (
    "download_file",
    "download_images",
    "client_images",
    "client_csv",
    "client_pdf",
    "client_reports",
    "pdf_examples",
)
_MISSING = [
    "/download/",
    "/download/none.png",
    "/download/sub/deep.png",
    "/download/sub",
    "/download2/",
    "/download2/sub",
    "/download2/none/at/all",
    "/download/.hidden.png/x",
    "/get-image/",
    "/get-image/none.png",
    "/get-image/sub",
    "/get-image/sub/deep.png",
    "/get-image/2",
    "/get-image/-7",
    "/get-image/7.0",
    "/get-image/7/",
    f"/get-image/{'9' * 300}",
    f"/get-image/{'9' * 5000}",
    f"/get-image/{IMAGE_ID[:-1]}8",
    f"/get-image/{IMAGE_ID.replace('-', '')}",
    "/get-image/folder",
    "/get-image/0*",
    "/get-image/%00",
    "/get-csv/",
    "/get-csv/none",
    "/get-csv/none.csv",
    "/get-csv/2026",
    "/get-csv/2026/",
    "/get-csv/2026/none.csv",
    "/get-csv/2026/%00",
    "/get-csv/%FF/x",
    "/get-csv/a%0Ab/c",
    f"/get-csv/{'n' * 3000}",
    f"/get-csv/{'n/' * 1000}n",
    "/get-pdf/",
    "/get-pdf/none",
    "/get-pdf/2026/invoice",
    "/get-report/",
    "/get-report/2026",
    "/get-report/2026/q3/none.txt",
    "/pdf/",
    "/pdf/none",
]
_PREFIXES = ("/download/", "/download2/", "/get-image/", "/get-csv/", "/get-csv/2026/", "/get-pdf/", "/get-report/")
_OUTWARDS = (
    "..",
    "../secret.txt",
    "../../secret.txt",
    "x/../../secret.txt",
    "%2e%2e",
    "%2e%2e/secret.txt",
    "..%2fsecret.txt",
    "%2e%2e%2f%2e%2e%2fsecret.txt",
    "..%5csecret.txt",
    "%2fetc%2fpasswd",
    "/etc/passwd",
)


@pytest.mark.parametrize(("target", "text", "name"), _FOUND)
async def test_a_file_is_offered_under_its_name(site: Site, target: str, text: str, name: str) -> None:
    response = await site.get(target)
    assert (response.status_code, response.text) == (200, text)
    assert response.headers["content-disposition"] == f"attachment; filename={name}"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("target", "text", "media_type"), _SHOWN)
async def test_an_image_is_shown(site: Site, target: str, text: str, media_type: str) -> None:
    response = await site.get(target)
    assert (response.status_code, response.text) == (200, text)
    assert response.headers["content-type"] == media_type
    assert response.headers["content-disposition"].startswith("inline")


@pytest.mark.parametrize("query", ["?inline", "?inline=1"])
@pytest.mark.parametrize("target", ROUTES)
async def test_every_route_can_show_inline(site: Site, target: str, query: str) -> None:
    assert (await site.get(target + query)).headers["content-disposition"].startswith("inline")


@pytest.mark.parametrize("query", ["?download", "?download=1", "?attachment=1", "?x=1&attachment"])
@pytest.mark.parametrize("target", ROUTES)
async def test_every_route_can_offer_for_saving(site: Site, target: str, query: str) -> None:
    assert (await site.get(target + query)).headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("target", _MISSING, ids=lambda target: target[:40])
async def test_a_missing_file_gets_404(site: Site, target: str) -> None:
    status, fields, body = await site.raw(target)
    assert status == 404
    assert b"Traceback" not in body
    assert "Content-Disposition" not in fields


@pytest.mark.parametrize(
    ("target", "normal"),
    [
        ("//get-csv/./sales", "/get-csv/sales"),
        ("/get-csv//sales.csv", "/get-csv/sales.csv"),
        ("/get-csv/2026/../sales.csv", "/get-csv/sales.csv"),
        ("/x/../get-image/%2e/7", "/get-image/7"),
    ],
)
@pytest.mark.parametrize("directory", [False, True], ids=["routes alone", "a tree too"])
async def test_a_path_of_a_route_is_normalized(
    site_of: SiteOf, everything: Settings, target: str, normal: str, directory: bool
) -> None:
    site = await site_of(everything) if directory else await site_of(everything, directory=None)
    status, _, body = await site.raw(target)
    assert (status, body) == (200, (await site.get(normal)).content)


@pytest.mark.parametrize("path", _OUTWARDS)
async def test_no_file_outside_of_a_folder_is_served(site_of: SiteOf, everything: Settings, path: str) -> None:
    site = await site_of(everything, directory=None)  # else "/download/../secret.txt" is a file of the tree
    statuses = {prefix: (await site.raw(prefix + path))[0] for prefix in _PREFIXES}
    assert statuses == dict.fromkeys(_PREFIXES, 404)


@pytest.mark.parametrize(
    "target",
    [
        "/download/.hidden.png",
        "/download2/.hidden.png",
        "/download2/sub/.git/x",
        "/get-image/.hidden.png",
        "/get-csv/.h",
        "/get-csv/.h/x.csv",
        "/get-pdf/.h",
        "/get-report/.h.txt",
        "/get-report/2026/.h/x.txt",
    ],
)
async def test_hidden_files_are_served_only_with_the_setting(
    site_of: SiteOf, everything: Settings, target: str
) -> None:
    assert everything.directory
    for name in ("images/sub/.git/x", "csv/.h.csv", "csv/.h/x.csv", "pdf/.h.pdf", "reports/.h.txt"):
        path = everything.directory / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (everything.directory / "reports/2026/.h").mkdir()
    (everything.directory / "reports/2026/.h/x.txt").touch()
    assert (await (await site_of(everything)).get(target)).status_code == 404
    assert (await (await site_of(everything, hidden=True)).get(target)).status_code == 200


async def test_another_quart_app_hides_dot_files_by_default(serve: Serve, everything: Settings) -> None:
    app = Quart(__name__)
    app.register_blueprint(downloads)
    app.config["DOWNLOAD_IMAGES"] = everything.download_images
    server = await serve(cast("App", app))
    async with httpx.AsyncClient(base_url=server.url, timeout=HANGING) as client:
        assert (await client.get("/download/.hidden.png")).status_code == 404
        app.config["HIDDEN"] = True
        assert (await client.get("/download/.hidden.png")).status_code == 200


@pytest.mark.parametrize("prefix", ["/download2/", "/get-csv/", "/get-report/"])
async def test_no_link_leads_out_of_a_folder(
    site_of: SiteOf, everything: Settings, tmp_path: Path, prefix: str
) -> None:
    (tmp_path / "x.csv").write_text("outside")
    for folder in (everything.client_images, everything.client_csv, everything.client_reports):
        assert folder
        (folder / "out").symlink_to(tmp_path)
    assert (await (await site_of(everything)).get(f"{prefix}out/x.csv")).status_code == 404


async def test_the_first_of_several_images_with_one_number_is_shown(site_of: SiteOf, everything: Settings) -> None:
    assert everything.client_images
    for ending in ("b", "a", "c"):
        (everything.client_images / f"012.{ending}").write_text(ending)
    assert (await (await site_of(everything)).get("/get-image/12")).text == "a"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("target", ROUTES)
async def test_another_method_gets_405_and_the_list_of_methods(site: Site, target: str, method: str) -> None:
    response = await site.ask(target, method)
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("target", ROUTES)
async def test_a_route_that_is_not_configured_gets_404(site_of: SiteOf, target: str) -> None:
    site = await site_of(Settings())
    assert (await site.get(target)).status_code == 404


@pytest.mark.parametrize("name", _SETTINGS)
async def test_without_one_setting_the_other_routes_work(site_of: SiteOf, everything: Settings, name: str) -> None:
    site = await site_of(everything, **{name: None, "directory": None})
    missing = {target for target in ROUTES if (await site.get(target)).status_code == 404}
    assert missing
    assert len({target.split("/")[1].removesuffix("2") for target in missing}) == 1


async def test_a_configured_file_that_is_missing_gets_404(site_of: SiteOf, everything: Settings) -> None:
    site = await site_of(everything)
    assert everything.download_file
    everything.download_file.unlink()
    assert (await site.get("/download")).status_code == 404


async def test_a_configured_folder_instead_of_a_file_gets_404(site_of: SiteOf, everything: Settings) -> None:
    site = await site_of(everything, download_file=everything.directory)
    assert (await site.get("/download")).status_code == 404
