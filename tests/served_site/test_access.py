"""The site with passwords and signed links, over real connections: who gets in, and what the responses say."""

import os
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import segno
from harness.asgi import App, ask
from harness.served import Server, http2, served
from harness.waiting import HANGING
from tools.databases import fill
from tools.databases import sqlite as sqlite  # noqa: PLC0414
from werkzeug.security import generate_password_hash

from async_downloads import DirectoryStore, Downloads, Signer
from async_downloads.config import Settings
from async_downloads.server.access_log import AccessLog
from async_downloads.server.drain import DrainGate
from async_downloads.server.proxies.forwarded_scope import ForwardedScope
from async_downloads.server.proxies.trusted import TrustedProxies
from async_downloads.site.access import check_access
from async_downloads.site.app import app_with_access, create_app
from served_site.site import Site

SECRET = "a secret of the tests"
SIGNER = Signer(SECRET)
HOUR = timedelta(hours=1)
LOCAL = ("127.0.0.1", 50_000)


def _basic(user: str, password: str) -> tuple[str, str]:
    return "Authorization", f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


ANN = _basic("ann", "secret")


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """A file with one user."""
    path = tmp_path / "users"
    path.write_text(f"ann:{generate_password_hash('secret', 'pbkdf2:sha256:1')}\n")
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with private and other files."""
    tree = tmp_path / "tree"
    files = {
        "a.txt": "a",
        "page.html": "<script>1</script>",
        "private/deep/b.txt": "b",
        "private/naïve (1)/c.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "images/x.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    }
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tree


SiteOf = Callable[..., App]


@pytest.fixture
def site_of(tree: Path, users: Path) -> SiteOf:
    """Return a function that makes a site which asks for the user's password."""

    def make(**changes: Any) -> App:
        options = {"directory": tree, "auth_file": users, "secret": SECRET, **changes}
        return cast("App", create_app(Settings(**options)))

    return make


@pytest.fixture
async def site(site_of: SiteOf) -> AsyncIterator[Site]:
    """A served site, all of which asks for the password."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(served(DrainGate(site_of(cache_control="public, max-age=60"))))
        yield Site(server, await stack.enter_async_context(httpx.AsyncClient(base_url=server.url, timeout=HANGING)))


@pytest.mark.parametrize("target", ["/", "/a.txt", "/none", "/?json", "/?zip", "/a.txt?view", "/a.txt?qr", "/private"])
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
async def test_nothing_is_sent_without_a_password(site: Site, target: str, accept: str) -> None:
    response = await site.get(target, Accept=accept, If_None_Match="*", Range="bytes=0-0")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Basic realm="files", charset="UTF-8"'
    assert response.headers["cache-control"] == "no-store"
    assert ("<html" in response.text) is (accept == "text/html")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "DELETE"])
async def test_no_method_leads_around_the_password(site: Site, method: str) -> None:
    assert (await site.ask("/a.txt", method)).status_code == 401


@pytest.mark.parametrize(
    "field",
    [
        pytest.param(_basic("ann", "Secret")[1], id="wrong password"),
        pytest.param(_basic("bob", "secret")[1], id="unknown user"),
        pytest.param("Basic", id="no token"),
        pytest.param("Bearer x", id="another scheme"),
        pytest.param(f"{ANN[1]}, {ANN[1]}", id="twice"),
    ],
)
async def test_wrong_credentials_get_401(site: Site, field: str) -> None:
    assert (await site.get("/a.txt", Authorization=field)).status_code == 401


@pytest.mark.parametrize(
    "target", ["/", "/?json", "/a.txt", "/none", "/page.html?view", "/a.txt?qr", "/?zip", "/private", "/a.txt?view"]
)
async def test_with_the_password_everything_is_there_and_private(site: Site, target: str) -> None:
    response = await site.get(target, Authorization=ANN[1])
    assert response.status_code == {"/none": 404, "/private": 301}.get(target, 200)
    assert "public" not in response.headers["cache-control"]
    assert response.headers["cache-control"].startswith("private")


async def test_conditions_and_ranges_work_with_the_password_alone(site: Site) -> None:
    whole = await site.get("/a.txt", Authorization=ANN[1])
    same = await site.get("/a.txt", Authorization=ANN[1], If_None_Match=whole.headers["etag"])
    assert (same.status_code, same.headers["cache-control"]) == (304, "private, max-age=60")
    part = await site.get("/a.txt", Authorization=ANN[1], Range="bytes=0-0")
    assert (part.status_code, part.headers["cache-control"]) == (206, "private, max-age=60")
    assert (await site.get("/a.txt", If_None_Match=whole.headers["etag"])).status_code == 401


@pytest.mark.parametrize(
    ("target", "policy"),
    [("/page.html", "sandbox allow-scripts"), ("/images/x.svg", "sandbox allow-scripts"), ("/a.txt", None)],
)
async def test_documents_are_in_a_sandbox(site: Site, target: str, policy: str | None) -> None:
    response = await site.get(target, Authorization=ANN[1])
    assert response.headers.get("content-security-policy") == policy


async def test_the_pages_of_the_site_keep_their_policy(site: Site) -> None:
    page = await site.get("/", Authorization=ANN[1], Accept="text/html")
    assert page.headers.get_list("content-security-policy")[0].startswith("default-src 'none'; style-src 'self'")
    [style] = re.findall(r'href="(-/static/[^"]*\.css)"', page.text)
    assert (await site.get(f"/{style}")).status_code == 200
    assert (await site.get("/-/static/other.css")).status_code == 401


async def test_health_needs_no_password(site: Site) -> None:
    assert (await site.get("/-/healthy")).status_code == 200
    assert (await site.get("/-/ready")).status_code == 200


async def test_a_client_that_guesses_is_slowed_down(site: Site) -> None:
    found = [await site.get("/a.txt", Authorization=_basic("ann", str(number))[1]) for number in range(11)]
    assert [response.status_code for response in found] == [401] * 10 + [429]
    assert int(found[-1].headers["retry-after"]) > 0
    assert (await site.get("/a.txt", Authorization=ANN[1])).status_code == 429
    assert (await site.get("/-/healthy")).status_code == 200


async def test_http2_asks_for_the_password_too(site_of: SiteOf, certificate: tuple[Path, Path]) -> None:
    async with (
        http2(DrainGate(site_of()), certificate) as server,
        httpx.AsyncClient(http2=True, verify=False, base_url=server.url, timeout=HANGING) as client,
    ):
        refused = await client.get("/a.txt")
        assert (refused.http_version, refused.status_code) == ("HTTP/2", 401)
        assert (await client.get("/a.txt", auth=("ann", "secret"))).text == "a"
        url = SIGNER.sign(f"{server.url}/a.txt", expires=HOUR)
        assert (await client.get(url)).text == "a"


async def _signed(app: App, url: str, **more: Any) -> int:
    return (await ask(app, url, client=LOCAL, **more)).status


@pytest.mark.parametrize(
    ("signed", "requested", "status"),
    [
        pytest.param("/a.txt", "/a.txt?", 200, id="file"),
        pytest.param("/a.txt", "/page.html?", 403, id="another file"),
        pytest.param("/a.txt", "/a.txt?inline&", 403, id="a parameter"),
        pytest.param("/a.txt", "//a.txt?", 200, id="another spelling"),
        pytest.param("/private/*", "/private/?", 200, id="folder"),
        pytest.param("/private/*", "/private/deep/b.txt?", 200, id="file in the folder"),
        pytest.param("/private/*", "/private/deep/b.txt?view&", 200, id="page of a file"),
        pytest.param("/private/*", "/private/?zip&", 200, id="archive of the folder"),
        pytest.param("/private/*", "/private/deep?", 301, id="folder without a slash"),
        pytest.param("/private/*", "/private/../a.txt?", 403, id="out of the folder"),
        pytest.param("/private/*", "/?zip&", 403, id="archive above the folder"),
        pytest.param("/private/?zip&name=deep", "/private/?zip&name=deep&", 200, id="selection"),
        pytest.param("/private/?zip&name=deep", "/private/?zip&", 403, id="more than the selection"),
        pytest.param("/private/?zip&name=deep", "/private/?json&", 403, id="list of the folder"),
    ],
)
async def test_a_signed_link_opens_what_it_was_made_for(
    site_of: SiteOf, signed: str, requested: str, status: int
) -> None:
    token = SIGNER.sign(signed, expires=HOUR).partition("signature=")[2]
    assert await _signed(site_of(), f"{requested}signature={token}") == status


async def test_a_response_to_a_link_is_private_has_its_name_and_no_referer(site_of: SiteOf) -> None:
    url = SIGNER.sign("/page.html", expires=HOUR, name="naïve.html")
    fields = (await ask(site_of(), url, client=LOCAL)).fields
    assert fields["cache-control"] == "private, no-cache"
    assert fields["referrer-policy"] == "no-referrer"
    assert fields["content-security-policy"] == "sandbox allow-scripts"
    assert fields["content-disposition"].startswith("inline; filename=naive.html; filename*=")
    assert "set-cookie" not in fields


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
async def test_an_expired_link_says_so(site_of: SiteOf, accept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("time.time", lambda: 1_700_000_000.0)
        url = SIGNER.sign("/a.txt", expires=HOUR)
    found = await ask(site_of(), url, fields=[("Accept", accept)], client=LOCAL)
    assert (found.status, found.fields["referrer-policy"]) == (410, "no-referrer")
    assert "This link has expired. Ask the person who sent it for a new one." in found.body.decode()


async def test_a_password_opens_what_a_wrong_link_does_not(site_of: SiteOf) -> None:
    url = SIGNER.sign("/a.txt", expires=HOUR).replace("/a.txt", "/page.html")
    site = site_of()
    assert [await _signed(site, url), await _signed(site, url, fields=[ANN])] == [403, 200]


async def test_a_link_for_an_address_ignores_what_the_client_says_about_itself(site_of: SiteOf) -> None:
    url = SIGNER.sign("/a.txt", expires=HOUR, address="192.0.2.7")
    spoofed = [("X-Forwarded-For", "192.0.2.7"), ("Forwarded", "for=192.0.2.7"), ("X-Real-IP", "192.0.2.7")]
    site = site_of()
    assert await _signed(site, url, fields=spoofed) == 403
    assert (await ask(site, url, client=("192.0.2.7", 1))).status == 200


async def test_a_trusted_proxy_says_which_address_a_link_is_opened_from(site_of: SiteOf) -> None:
    site = ForwardedScope(site_of(), TrustedProxies(["127.0.0.0/8"]))
    url = SIGNER.sign("/a.txt", expires=HOUR, address="192.0.2.7")
    for client, forwarded, status in (
        ("127.0.0.1", "192.0.2.7", 200),
        ("127.0.0.1", "192.0.2.7, 192.0.2.8", 403),
        ("192.0.2.8", "192.0.2.7", 403),
    ):
        found = await ask(site, url, client=(client, 1), fields=[("X-Forwarded-For", forwarded)])
        assert found.status == status


async def test_a_link_opens_a_file_of_a_database(site_of: SiteOf, sqlite: str) -> None:
    stored = (await fill(sqlite, **{"x.txt": b"stored"}))["x.txt"]
    async with served(DrainGate(site_of(database=sqlite, list_files=True))) as server:
        url = f"/files/download/{stored.token}"
        async with httpx.AsyncClient(base_url=server.url, timeout=HANGING) as client:
            assert (await client.get(url)).status_code == 401
            assert (await client.get(SIGNER.sign(url, expires=HOUR))).text == "stored"
            assert (await client.get("/files/?json")).status_code == 401


async def test_the_cookie_of_a_folder_opens_the_links_of_its_pages(site_of: SiteOf) -> None:
    site = site_of()
    url = SIGNER.sign("/private/*", expires=HOUR)
    cookie = (await ask(site, url, client=LOCAL)).fields["set-cookie"]
    assert "Path=/private/;" in cookie
    sent = [("Cookie", f"other=1; {cookie.partition(';')[0]}")]
    opened = await ask(site, "/private/deep/b.txt", fields=sent, client=LOCAL)
    assert (opened.status, opened.fields["referrer-policy"]) == (200, "no-referrer")
    assert await _signed(site, "/a.txt", fields=sent) == 401
    assert await _signed(site, "/private/", fields=[("Cookie", f"{sent[0][1]}x")]) == 401


async def test_in_a_signed_folder_a_copied_link_and_its_qr_code_have_the_signature_of_the_folder(
    site_of: SiteOf,
) -> None:
    site, file = site_of(), "/private/deep/b.txt"
    signature = SIGNER.sign("/private/*", expires=HOUR).partition("?")[2]
    by_cookie = [("Cookie", f"async_downloads_link={signature.removeprefix('signature=')}")]
    for query, fields in ((f"&{signature}", []), ("", by_cookie)):
        page = (await ask(site, f"{file}?view{query}", fields=fields, client=LOCAL)).body.decode()
        code = (await ask(site, f"{file}?qr{query}", fields=fields, client=LOCAL)).body
        assert f'data-copy="b.txt?{signature}"' in page
        assert code == _qr_code(f"http://localhost{file}?{signature}")
    assert await _signed(site, f"{file}?{signature}") == 200


async def test_the_copied_link_of_a_document_with_scripts_opens_its_page(site_of: SiteOf, tree: Path) -> None:
    (tree / "private" / "evil.svg").write_text("<svg/>")
    site, file = site_of(), "/private/evil.svg"
    signature = SIGNER.sign("/private/*", expires=HOUR).partition("?")[2]
    page = (await ask(site, f"{file}?view&{signature}", client=LOCAL)).body.decode()
    assert f'data-copy="evil.svg?view&amp;{signature}"' in page
    code = (await ask(site, f"{file}?qr&{signature}", client=LOCAL)).body
    assert code == _qr_code(f"http://localhost{file}?view&{signature}")


async def test_a_page_for_a_reader_with_a_password_shows_the_signature_of_no_other_reader(site_of: SiteOf) -> None:
    site, file = site_of(), "/private/deep/b.txt"
    for expires in (HOUR, 2 * HOUR):
        signature = SIGNER.sign("/private/*", expires=expires).partition("?")[2]
        page = (await ask(site, f"{file}?view&{signature}", client=LOCAL)).body.decode()
        assert re.findall(r"signature=[^\"]+", page) == [signature]
    opened = await ask(site, f"{file}?view", fields=[ANN], client=LOCAL)
    assert "signature=" not in opened.body.decode()
    of_the_page = SIGNER.sign(f"{file}?view", expires=HOUR)
    assert "signature=" not in (await ask(site, of_the_page, client=LOCAL)).body.decode()


def _qr_code(url: str) -> bytes:
    drawn = BytesIO()
    segno.make_qr(url, error="m").save(drawn, kind="svg", scale=8, border=4, light="#fff", xmldecl=False)
    return drawn.getvalue()


async def test_a_redirect_in_a_signed_folder_keeps_the_signature(site_of: SiteOf) -> None:
    signature = SIGNER.sign("/private/*", expires=HOUR).partition("?")[2]
    site = site_of()
    for query, expected in ((signature, f"./deep/?{signature}"), (f"json&{signature}", f"./deep/?json&{signature}")):
        found = await ask(site, f"/private/deep?{query}", client=LOCAL)
        assert (found.status, found.fields["location"]) == (301, expected)
    cookie = ("Cookie", found.fields["set-cookie"].partition(";")[0])
    assert (await ask(site, "/private/deep", fields=[cookie], client=LOCAL)).fields["location"] == "./deep/"


async def test_a_worker_that_is_replaced_gets_the_users_of_the_start(users: Path, tree: Path) -> None:
    settings = Settings(directory=tree, auth_file=users)
    access = check_access(settings)
    users.write_text("not a user")
    app = cast("App", app_with_access(settings, access))
    assert (await ask(app, "/a.txt", fields=[ANN], client=LOCAL)).status == 200


async def test_without_a_secret_a_signature_means_nothing(site_of: SiteOf) -> None:
    assert await _signed(site_of(secret=None), SIGNER.sign("/a.txt", expires=HOUR)) == 401


@pytest.mark.parametrize(
    "target",
    ["/private/deep/b.txt", "//private/deep/b.txt", "/x/../private/", "/private%2fdeep%2fb.txt", "/PRIVATE/", "/?zip"],
)
async def test_a_protected_folder_needs_the_password_however_its_path_is_written(site_of: SiteOf, target: str) -> None:
    assert await _signed(site_of(auth_path=("/private",)), target) == 401


async def test_outside_of_a_protected_folder_no_password_is_needed(site_of: SiteOf) -> None:
    site = site_of(auth_path=("/private",), cache_control="public, max-age=60")
    for target in ("/", "/a.txt", "/images/?zip", "/privately"):
        found = await ask(site, target, client=LOCAL)
        assert found.status == (404 if target == "/privately" else 200)
        assert "public" not in found.fields["cache-control"]
    page = await ask(site, "/page.html", client=LOCAL)
    assert page.fields["content-security-policy"] == "sandbox allow-scripts"


async def test_the_page_above_a_protected_folder_shows_no_number_of_its_entries(site_of: SiteOf, tree: Path) -> None:
    os.utime(tree / "private", (0, 1_600_000_000))  # numbers of folders that have just changed are not shown
    for paths, counted in ((("/private",), False), ((), True)):
        site = site_of(auth_path=paths)
        for target in ("/private/", "/"):
            page = await ask(site, target, fields=[ANN, ("Accept", "text/html")], client=LOCAL)
        assert (re.search(rb"\d items?<", page.body) is not None) is counted


async def test_an_absolute_target_needs_the_password(site_of: SiteOf) -> None:
    site = site_of(auth_path=("/private",))
    target = "http://host/private/deep/b.txt"
    assert (await ask(site, "/x", client=LOCAL, path=target, raw_path=target.encode())).status == 401


async def test_without_users_only_links_open_a_protected_folder(site_of: SiteOf) -> None:
    site = site_of(auth_file=None, auth_path=("/private",))
    assert await _signed(site, "/private/", fields=[ANN]) == 403
    assert await _signed(site, "/a.txt") == 200
    assert await _signed(site, SIGNER.sign("/private/deep/b.txt", expires=HOUR)) == 200


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param(
            {"auth_file": None, "auth_path": ("/x",), "secret": None}, "--auth-path needs --auth", id="no way in"
        ),
        pytest.param({"auth_path": ("/a.txt",)}, "is a file: give its folder instead", id="a file"),
        pytest.param(
            {"auth": ("ann:a", "ann:b"), "auth_file": None}, "'ann' has two passwords", id="a user with two passwords"
        ),
        pytest.param(
            {"auth_path": ("//files/download",), "database": "sqlite:///x.db"},
            "protect /files",
            id="a part of a database",
        ),
        pytest.param({"secret": "short"}, "needs 16 characters", id="short secret"),
    ],
)
async def test_settings_that_make_no_sense_are_refused(site_of: SiteOf, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        site_of(**changes)


async def test_one_named_file_cannot_be_protected_by_its_path(site_of: SiteOf, tree: Path) -> None:
    with pytest.raises(ValueError, match="is a file"):
        site_of(directory=None, paths=(tree / "a.txt",), auth_path=("/a.txt",))
    with pytest.raises(ValueError, match="is a file"):
        site_of(directory=None, paths=(tree / "a.txt", tree / "private"), auth_path=("/private/deep/b.txt",))


async def test_the_file_of_users_must_not_be_served(site_of: SiteOf, tree: Path, users: Path) -> None:
    inside = users.rename(tree / "users")
    with pytest.raises(ValueError, match=r"is in .*, which is served"):
        site_of(auth_file=inside)
    site_of(auth_file=inside.rename(tree / ".users"))


async def test_the_signature_is_in_no_log(site_of: SiteOf, caplog: pytest.LogCaptureFixture) -> None:
    lines: list[str] = []
    url = SIGNER.sign("/private/?zip", expires=HOUR)
    token = url.partition("signature=")[2]
    async with served(site_of(), observers=[AccessLog("json", write=lines.append)]) as server:
        for target in (url, url.replace("/private", "/public"), url.replace("signature", "%73ignature")):
            await _fetch(server, target)
    assert len(lines) == 3
    assert "/private/?zip&signature=***" in lines[0]
    assert "/private/?zip&%73ignature=***" in lines[2]
    own = [record.getMessage() for record in caplog.records if record.name.startswith("async_downloads")]
    assert token not in "".join([*lines, *own])


async def test_an_app_for_signed_links_logs_no_signature(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = cast("App", Downloads(DirectoryStore(tree), signer=SIGNER))
    url = SIGNER.sign("/a.txt", expires=HOUR)
    assert (await ask(app, url.replace("?", "%3F"))).status == 403
    assert "GET '/a.txt?signature=***': 403" in caplog.text
    assert url.partition("signature=")[2] not in caplog.text


async def _fetch(server: Server, target: str) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=HANGING) as client:
        await client.get(target)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        pytest.param(lambda url: url, 200, id="signed"),
        pytest.param(lambda url: url.replace("a.txt", "page.html"), 403, id="another file"),
        pytest.param(lambda url: f"{url}&download", 403, id="one more parameter"),
        pytest.param(lambda url: url.partition("?")[0], 403, id="not signed"),
    ],
)
async def test_downloads_with_a_signer_serve_signed_links_only(
    tree: Path, changed: Callable[[str], str], status: int
) -> None:
    app = Downloads(DirectoryStore(tree), cache_control="public, max-age=9", signer=SIGNER)
    url = SIGNER.sign("/files/a.txt", expires=HOUR, name="b.txt")
    found = await ask(app, changed(url), client=LOCAL, root_path="/files")
    assert found.status == status
    assert found.fields["cache-control"].startswith("private")
    if status == 200:
        assert found.fields["content-disposition"] == "inline; filename=b.txt"


async def test_downloads_with_a_signer_say_that_a_link_has_expired(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("time.time", lambda: 1_700_000_000.0)
        url = SIGNER.sign("/a.txt", expires=HOUR)
    found = await ask(Downloads(DirectoryStore(tree), signer=SIGNER), url, client=LOCAL)
    assert (found.status, b"This link has expired" in found.body) == (410, True)
