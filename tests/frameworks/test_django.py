"""Files beside an app of Django: its view checks the login, and `Downloads` sends the files that it allows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import django
import httpx
import pytest
from django import conf  # not `settings`: the search for doctests would read their values too early
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.shortcuts import redirect
from django.test import override_settings
from django.urls import path

from async_downloads import DirectoryStore, Downloads, Signer
from async_downloads.sending import Receive, Scope, Send

CONTENT: Final = b"0123456789" * 20_000
SECRET: Final = "a secret of more than sixteen characters"
signer = Signer(SECRET)


def report(request: HttpRequest, name: str) -> HttpResponse:
    """Redirect a user who may have the report to a link that works for one minute."""
    if request.headers.get("Authorization") != "Bearer right":
        return HttpResponseForbidden()
    return redirect(signer.sign(f"/files/{quote(name)}", expires=60))


urlpatterns = [path("reports/<path:name>", report)]


def beside(django_app: Any, files: Downloads) -> Any:
    """Return the ASGI app that passes paths below `/files` to `files`, and all others to Django."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/files/"):
            await files({**scope, "root_path": "/files"}, receive, send)
        else:
            await django_app(scope, receive, send)

    return application


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Any]:
    """The app, with a folder of reports."""
    (tmp_path / "q 1.pdf").write_bytes(CONTENT)
    if not conf.settings.configured:
        conf.settings.configure(SECRET_KEY=SECRET, ALLOWED_HOSTS=["host"])
        django.setup(set_prefix=False)
    with override_settings(ROOT_URLCONF=__name__):
        yield beside(get_asgi_application(), Downloads(DirectoryStore(tmp_path), signer=signer))


async def _get(app: Any, target: str, **fields: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        return await client.get(target, headers=fields)


async def test_a_view_redirects_its_user_to_a_file_with_ranges(app: Any) -> None:
    response = await _get(app, "/reports/q%201.pdf", Authorization="Bearer right")
    assert response.status_code == 302
    link = response.headers["location"]
    whole, part = await _get(app, link), await _get(app, link, Range="bytes=5-9")
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert (part.status_code, part.content) == (206, b"56789")
    assert part.headers["cache-control"].startswith("private")


async def test_other_users_get_neither_a_link_nor_a_file(app: Any) -> None:
    assert (await _get(app, "/reports/q%201.pdf")).status_code == 403
    assert (await _get(app, "/files/q%201.pdf")).status_code == 403


async def test_other_paths_are_those_of_django(app: Any) -> None:
    response = await _get(app, "/none")
    assert (response.status_code, "<h1>Not Found</h1>" in response.text) == (404, True)
