"""`USE_X_SENDFILE` as in Flask: the response names the file, and a server in front sends it."""

from pathlib import Path

from quart import Quart
from quart.typing import ResponseReturnValue

from async_downloads import init_app, send_file, send_from_directory


def _app(folder: Path) -> Quart:
    app = Quart(__name__)
    app.config["USE_X_SENDFILE"] = True
    init_app(app)

    @app.get("/file")
    async def file() -> ResponseReturnValue:
        return await send_file(folder / "a b.txt", as_attachment=True)

    @app.get("/below/<path:name>")
    async def below(name: str) -> ResponseReturnValue:
        return await send_from_directory(folder, name, max_age=60)

    @app.get("/content")
    async def content() -> ResponseReturnValue:
        return await send_file(b"content", "text/plain")

    return app


async def test_a_file_is_named_and_the_conditions_are_left_to_the_server_in_front(tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("content")
    client = _app(tmp_path).test_client()
    for path in ("/file", "/below/a%20b.txt"):
        for fields in ({}, {"Range": "bytes=0-1"}, {"If-None-Match": "*"}):
            found = await client.get(path, headers=fields)
            assert (found.status_code, await found.get_data()) == (200, b"")
            assert found.headers["X-Sendfile"] == str(tmp_path / "a b.txt")
            assert found.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert "ETag" in found.headers
            assert "Last-Modified" in found.headers
            assert "Accept-Ranges" not in found.headers
    assert found.headers["Cache-Control"] == "public, max-age=60"


async def test_a_missing_file_is_not_named_and_other_content_is_sent(tmp_path: Path) -> None:
    client = _app(tmp_path).test_client()
    missing = await client.get("/below/none.txt")
    assert (missing.status_code, "X-Sendfile" in missing.headers) == (404, False)
    found = await client.get("/content")
    assert (found.status_code, await found.get_data()) == (200, b"content")
