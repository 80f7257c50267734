"""The site as one app: which part serves which path, and which paths get 404."""

from pathlib import Path

import pytest
from quart import Response

from async_downloads import send_file
from async_downloads.config import Settings
from async_downloads.site.app import create_app
from served_site.conftest import SiteOf
from served_site.site import Site


async def test_the_tree_and_the_routes_are_served_together(site: Site) -> None:
    assert (await site.get("/secret.txt")).text == "secret"
    assert (await site.get("/images/001.png")).text == "one"
    assert (await site.get("/get-image/1")).text == "one"


async def test_a_route_hides_a_folder_of_its_name_only_when_it_is_configured(
    site_of: SiteOf, everything: Settings, tree: Path
) -> None:
    (tree / "download").mkdir()
    (tree / "download" / "x.txt").write_text("in the tree")
    routed = await site_of(everything)
    assert (await routed.get("/download/x.txt")).status_code == 404
    plain = await site_of(Settings(directory=tree))
    assert (await plain.get("/download/x.txt")).text == "in the tree"
    assert (await plain.get("/download")).headers["location"] == "./download/"


async def test_a_name_that_only_starts_like_a_route_is_a_file(site_of: SiteOf, everything: Settings) -> None:
    assert everything.directory
    for name in ("downloads", "download.txt", "get-image.png"):
        (everything.directory / name).write_text(name)
        assert (await (await site_of(everything)).get(f"/{name}")).text == name


async def test_a_program_may_add_routes_to_the_app(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("in the folder")
    app = create_app(Settings(directory=tmp_path))
    client = app.test_client()
    assert (await client.get("/own/1")).status_code == 404

    @app.get("/own/<int:number>")
    async def own(number: int) -> Response:
        return await send_file(tmp_path / "notes.txt", download_name=f"{number}.txt")

    for target in ("/own/1", "/notes.txt"):
        response = await client.get(target, headers={"Range": "bytes=0-1"})
        assert (response.status_code, await response.get_data()) == (206, b"in")
    assert (await client.get("/own/x")).status_code == 404


async def test_an_added_route_does_not_hide_the_database(tmp_path: Path) -> None:
    app = create_app(Settings(database=f"sqlite:///{tmp_path}/none.db"))
    client = app.test_client()

    @app.get("/files/own")
    async def own() -> str:
        return "own"

    response = await client.get("/files/download/00000000-0000-0000-0000-000000000000")
    assert response.status_code == 502  # of Quart it would be a 404


@pytest.mark.parametrize(
    "target",
    [
        "/..",
        "/../",
        "/../secret.txt",
        "/images/../../secret.txt",
        "/images/%2e%2e%2f..%2fsecret.txt",
        "/secret.txt/.",
        "/secret.txt/",
        "/%0A",
        "/secret.txt%0A",
        "/secret.txt%00",
        "/%00",
        "/%00/",
        "/%5csecret.txt",
        "/%ff",
        "/secret.txt%20",
        "/secret%2etxt.",
        f"/{'a' * 5000}",
        f"/{'a/' * 5000}",
    ],
    ids=lambda target: target[:30],
)
async def test_a_path_that_is_not_a_file_gets_404(site: Site, target: str) -> None:
    assert (await site.raw(target))[0] == 404


@pytest.mark.parametrize("target", ["secret.txt", "xsecret.txt", "xdownload"])
async def test_what_does_not_begin_with_a_slash_is_no_request(site: Site, target: str) -> None:
    assert (await site.raw(target))[0] == 400


@pytest.mark.parametrize(
    "target",
    [
        "/secret%2etxt",
        "/%73ecret.txt",
        "/images%2f001.png",
        "/secret.txt?x=%00",
        "//",
        "///",
        "/.",
        "/./",
        "//secret.txt",
        "/./secret.txt",
        "/images/../secret.txt",
        "/images/%2e%2e/secret.txt",
        "/images//001.png",
        "/images/./001.png",
        "/images%2f%2f001.png",
        "/images//",
        "/images/.",
        "/images/..",
    ],
)
async def test_a_path_may_be_written_in_more_than_one_way(site: Site, target: str) -> None:
    assert (await site.raw(target))[0] == 200


async def test_options_of_the_whole_server_lists_the_methods(site: Site) -> None:
    async with site.server.connected() as connection:
        await connection.ask("*", method="OPTIONS")
        status, fields = await connection.head()
    assert (status, fields["Allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_without_a_directory_only_the_routes_are_served(site_of: SiteOf, everything: Settings) -> None:
    site = await site_of(everything, directory=None)
    assert (await site.get("/")).status_code == 404
    assert (await site.get("/secret.txt")).status_code == 404
    assert (await site.get("/get-image/1")).text == "one"


async def test_the_settings_decide_about_disposition_and_caching(site_of: SiteOf, everything: Settings) -> None:
    site = await site_of(everything, attachment=True, cache_control="max-age=60")
    response = await site.get("/secret.txt")
    assert response.headers["content-disposition"] == "attachment; filename=secret.txt"
    assert response.headers["cache-control"] == "max-age=60"
    assert "attachment" not in (await site.get("/secret.txt?inline")).headers.get("content-disposition", "")
    assert "cache-control" not in (await (await site_of(everything, cache_control=None)).get("/secret.txt")).headers


async def test_links_out_of_the_directory_are_followed_only_with_the_setting(
    site_of: SiteOf, everything: Settings, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("outside")
    assert everything.directory
    (everything.directory / "link.txt").symlink_to(outside)
    assert (await (await site_of(everything)).get("/link.txt")).status_code == 404
    assert (await (await site_of(everything, follow_symlinks=True)).get("/link.txt")).text == "outside"


def test_without_settings_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, tree: Path) -> None:
    monkeypatch.setenv("ASYNC_DOWNLOADS_CLIENT_CSV", str(tree / "csv"))
    monkeypatch.setenv("ASYNC_DOWNLOADS_STALL_TIMEOUT", "7")
    app = create_app()
    assert (app.config["CLIENT_CSV"], app.config["DOWNLOAD_STALL_TIMEOUT"]) == (tree / "csv", 7.0)


async def test_relative_paths_start_at_the_working_directory(
    site_of: SiteOf, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    settings = Settings(
        directory=Path(), download_file=Path("secret.txt"), client_csv=Path("csv"), client_images=Path("images")
    )
    site = await site_of(settings)
    targets = ("/secret.txt", "/download", "/get-csv/sales", "/get-csv/2026/october.csv", "/get-image/1")
    assert [(await site.get(target)).status_code for target in targets] == [200] * len(targets)
