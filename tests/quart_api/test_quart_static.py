"""With `init_app`, static files are downloads: those of the app, of blueprints, and of classes of the app's own."""

from pathlib import Path
from typing import Final

import pytest
from quart import Blueprint, Quart, Response

from async_downloads import init_app

LARGE: Final = b"0123456789" * 50_000


@pytest.fixture
def static(tmp_path: Path) -> Quart:
    """An app with a static folder, and a blueprint with its own static folder, registered after `init_app`."""
    for folder in ("static", "blueprint"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.bin").write_bytes(LARGE)
    app = Quart(__name__, root_path=str(tmp_path))
    init_app(app)
    app.register_blueprint(
        Blueprint("own", __name__, root_path=str(tmp_path), static_folder="blueprint", static_url_path="/own")
    )
    return app


@pytest.mark.parametrize("target", ["/static/x.bin", "/own/x.bin"])
async def test_static_files_are_downloads(static: Quart, target: str) -> None:
    client = static.test_client()
    statuses = {}
    for value in (None, "bytes=0-9", "bytes=-5", "bytes=0-3,10-12", "bytes=999999-"):
        response = await client.get(target, headers={"Range": value} if value else {})
        statuses[value] = response.status_code, await response.get_data()
    assert statuses[None] == (200, LARGE)
    assert (statuses["bytes=0-9"], statuses["bytes=-5"]) == ((206, LARGE[:10]), (206, LARGE[-5:]))
    assert (statuses["bytes=0-3,10-12"][0], statuses["bytes=999999-"][0]) == (206, 416)
    assert (await client.get(target)).headers["Cache-Control"] == "no-cache"
    assert (await client.get(f"{target}/../../secret")).status_code == 404


async def test_a_view_may_send_a_static_file(static: Quart) -> None:
    async def index() -> Response:
        return await static.send_static_file("x.bin")

    static.add_url_rule("/", "index", index)
    response = await static.test_client().get("/", headers={"Range": "bytes=0-9"})
    assert (response.status_code, await response.get_data()) == (206, LARGE[:10])


@pytest.mark.parametrize("target", ["/static/x.bin", "/own/x.bin"])
async def test_the_app_says_how_long_caches_keep_static_files(
    static: Quart, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static, "get_send_file_max_age", lambda name: 60 if name.endswith("x.bin") else None)
    assert (await static.test_client().get(target)).headers["Cache-Control"] == "public, max-age=60"


async def test_a_static_view_of_the_apps_own_stays(static: Quart) -> None:
    async def own(filename: str) -> str:
        return f"own {filename}"

    static.view_functions["static"] = own
    assert await (await static.test_client().get("/static/x.bin")).get_data(as_text=True) == "own x.bin"


class _OwnApp(Quart):
    """An app that adds a field to its static files."""

    async def send_static_file(self, filename: str) -> Response:
        """Add the field."""
        response = await super().send_static_file(filename)
        response.headers["X-Own"] = "app"
        return response


class _OwnBlueprint(Blueprint):
    """A blueprint that does the same."""

    async def send_static_file(self, filename: str) -> Response:
        """Add the field."""
        response = await super().send_static_file(filename)
        response.headers["X-Own"] = "blueprint"
        return response


@pytest.mark.parametrize("target", ["/static/x.bin", "/own/x.bin"])
async def test_a_method_of_a_subclass_reaches_our_method(tmp_path: Path, target: str) -> None:
    for folder in ("static", "own"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.bin").write_bytes(LARGE)
    app = _OwnApp(__name__, root_path=str(tmp_path))
    init_app(app)
    app.register_blueprint(_OwnBlueprint("own", __name__, root_path=str(tmp_path), static_folder="own"))
    response = await app.test_client().get(target, headers={"Range": "bytes=-5"})
    assert (response.status_code, await response.get_data()) == (206, LARGE[-5:])
    assert response.headers["X-Own"] == ("app" if target.startswith("/static") else "blueprint")
    assert (isinstance(app, _OwnApp), type(app).__name__) == (True, "_OwnApp")


async def test_a_static_file_is_a_download_without_a_route_and_before_the_first_request(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(LARGE)
    app = Quart(__name__, root_path=str(tmp_path), static_folder=None)
    init_app(app)
    with pytest.raises(RuntimeError, match="'static_folder' must be set"):
        await app.send_static_file("x.bin")
    app.static_folder = str(tmp_path)
    async with app.test_request_context("/", headers={"Range": "bytes=-5"}):
        response = await app.send_static_file("x.bin")
        assert (response.status_code, await response.get_data()) == (206, LARGE[-5:])
