"""`signed_links`: a view that only signed links open."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from quart import Quart

from async_downloads import Signer, init_app, send_from_directory, signed_links

SIGNER = Signer("a secret of the tests")
HOUR = timedelta(hours=1)


@pytest.fixture
def app(root: Path) -> Quart:
    """An app with a view for signed links."""
    app = Quart(__name__, root_path=str(root))
    init_app(app)

    @app.get("/reports/<path:name>")
    @signed_links(SIGNER)
    async def report(name: str) -> Any:
        return await send_from_directory("", name, max_age=60)

    @app.get("/text")
    @signed_links(SIGNER)
    def text() -> Any:
        return "<p>text</p>", 201, {"Cache-Control": "public"}

    return app


async def test_a_signed_link_opens_the_view(app: Quart) -> None:
    url = SIGNER.sign("/reports/notes.txt", expires=HOUR, name="naïve.txt")
    response = await app.test_client().get(url, headers={"Range": "bytes=0-3"})
    assert (response.status_code, await response.get_data()) == (206, bytes(range(4)))
    assert response.headers["Cache-Control"] == "private, max-age=60"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "filename*=UTF-8''na%C3%AFve.txt" in response.headers["Content-Disposition"]


async def test_a_document_is_in_a_sandbox(app: Quart) -> None:
    for target, status in (("/reports/page.html", 200), ("/text", 201)):
        response = await app.test_client().get(SIGNER.sign(target, expires=HOUR))
        assert response.status_code == status
        assert response.headers["Content-Security-Policy"] == "sandbox allow-scripts"
        assert "public" not in response.headers["Cache-Control"]


@pytest.mark.parametrize("target", ["/reports/notes.txt", "/reports/plan.pdf", "/reports/notes.txt?x&"])
async def test_any_other_request_is_forbidden(app: Quart, target: str) -> None:
    token = SIGNER.sign("/reports/notes.txt", expires=HOUR).partition("?")[2]
    forged = {"/reports/notes.txt": target}.get(target, f"{target.rstrip('&')}{'&' if '?' in target else '?'}{token}")
    assert (await app.test_client().get(forged)).status_code == 403


async def test_a_link_opens_no_other_view_by_a_path_that_leads_back(app: Quart) -> None:
    @app.get("/secret/<path:name>")
    @signed_links(SIGNER)
    async def secret(name: str) -> Any:
        return f"a secret, whatever the name is: {name}"

    token = SIGNER.sign("/reports/notes.txt", expires=HOUR).partition("?")[2]
    response = await app.test_client().get(f"/secret/../reports/notes.txt?{token}")
    assert response.status_code == 403


async def test_an_expired_link_is_gone(app: Quart, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("time.time", lambda: 1_700_000_000.0)
        url = SIGNER.sign("/reports/notes.txt", expires=HOUR)
    assert (await app.test_client().get(url)).status_code == 410
