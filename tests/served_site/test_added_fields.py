"""Fields that settings add to every response, and pages of other origins that read the files (CORS)."""

from dataclasses import replace
from pathlib import Path

import pytest
from harness.asgi import ask

from async_downloads.config import Settings
from async_downloads.sending import Message, Receive, Send
from async_downloads.site.added_fields import AddedFields
from served_site.conftest import SiteOf
from served_site.site import Site, app_of

PAGE = "https://page.example"
PREFLIGHT = {"Origin": PAGE, "Access_Control_Request_Method": "GET", "Access_Control_Request_Headers": "range"}
EXPOSED = {"accept-ranges", "content-disposition", "content-length", "content-range", "etag", "repr-digest"}


@pytest.fixture
async def any_origin(site_of: SiteOf, everything: Settings) -> Site:
    """A site whose responses every page may read."""
    return await site_of(everything, cors="*")


def _words(value: str) -> set[str]:
    return {word.strip().lower() for word in value.split(",")}


@pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param("/secret.txt", 200, id="file"),
        pytest.param("/", 200, id="listing"),
        pytest.param("/?json", 200, id="listing-as-json"),
        pytest.param("/images", 301, id="redirect"),
        pytest.param("/no-such-file", 404, id="error"),
        pytest.param("/get-image/1", 200, id="route"),
    ],
)
async def test_pages_of_any_origin_can_read_every_response(any_origin: Site, target: str, status: int) -> None:
    response = await any_origin.get(target, Origin=PAGE)
    assert response.status_code == status
    assert response.headers.get_list("access-control-allow-origin") == ["*"]
    assert _words(response.headers["access-control-expose-headers"]) == EXPOSED
    assert "access-control-allow-credentials" not in response.headers


async def test_a_page_can_resume_a_download(any_origin: Site) -> None:
    whole = await any_origin.get("/secret.txt", Origin=PAGE)
    rest = await any_origin.get("/secret.txt", Origin=PAGE, Range="bytes=2-", If_Range=whole.headers["etag"])
    assert (rest.status_code, rest.text, rest.headers["content-range"]) == (206, "cret", "bytes 2-5/6")
    assert rest.headers["access-control-allow-origin"] == "*"
    same = await any_origin.get("/secret.txt", Origin=PAGE, If_None_Match=whole.headers["etag"])
    assert (same.status_code, same.headers["access-control-allow-origin"]) == (304, "*")
    beyond = await any_origin.get("/secret.txt", Origin=PAGE, Range="bytes=9-")
    assert (beyond.status_code, beyond.headers["access-control-allow-origin"]) == (416, "*")


@pytest.mark.parametrize("target", ["/secret.txt", "/get-image/1", "/no-such-file"])
async def test_a_preflight_request_is_allowed_whatever_its_path(any_origin: Site, target: str) -> None:
    response = await any_origin.ask(target, "OPTIONS", **PREFLIGHT)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "GET, HEAD"
    assert _words(response.headers["access-control-allow-headers"]) >= {"range", "if-range", "want-repr-digest"}
    assert "access-control-allow-credentials" not in response.headers


async def test_other_requests_with_options_get_the_usual_response(any_origin: Site) -> None:
    response = await any_origin.ask("/secret.txt", "OPTIONS", Origin=PAGE)
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    assert "access-control-allow-methods" not in response.headers


async def test_only_one_named_origin_may_send_cookies(site_of: SiteOf, everything: Settings) -> None:
    site = await site_of(everything, cors=PAGE)
    for response in (
        await site.get("/secret.txt", Origin="https://other.example"),
        await site.ask("/secret.txt", "OPTIONS", **PREFLIGHT),
    ):
        assert response.headers["access-control-allow-origin"] == PAGE
        assert response.headers["access-control-allow-credentials"] == "true"


async def test_without_the_setting_no_page_of_another_origin_is_allowed(site: Site) -> None:
    for response in (await site.get("/secret.txt", Origin=PAGE), await site.ask("/x", "OPTIONS", **PREFLIGHT)):
        assert not [name for name in response.headers if name.startswith("access-control-")]


async def test_fields_are_added_to_files_listings_and_errors(site_of: SiteOf, everything: Settings) -> None:
    site = await site_of(everything, header=("X-Robots-Tag: noindex", "Strict-Transport-Security: max-age=1; x=a:b"))
    for target in ("/secret.txt", "/", "/no-such-file", "/get-image/1"):
        fields = (await site.get(target)).headers
        assert (fields["x-robots-tag"], fields["strict-transport-security"]) == ("noindex", "max-age=1; x=a:b")
    preflight = await site.ask("/secret.txt", "OPTIONS", **PREFLIGHT)
    assert "access-control-allow-origin" not in preflight.headers


async def test_a_response_keeps_its_own_field_unless_the_field_is_a_list(site_of: SiteOf, tree: Path) -> None:
    policy = "Content-Security-Policy: sandbox"
    site = await site_of(Settings(directory=tree, header=(policy, "Vary: Cookie", "X-One: 1", "X-One: 2")))
    listing, file = await site.get("/"), await site.get("/secret.txt")
    assert "style-src" in listing.headers["content-security-policy"]
    assert "Cookie" in listing.headers.get_list("vary")
    assert file.headers.get_list("content-security-policy") == ["sandbox"]
    assert file.headers.get_list("x-one") == ["1", "2"]


async def test_browsers_apply_an_added_policy_and_the_sandbox_of_a_private_document(tree: Path) -> None:
    (tree / "page.html").write_text("<script>1</script>")
    policy = "default-src 'none'"
    settings = Settings(directory=tree, auth_path=("/private",), secret="a secret of the tests")
    app = app_of(replace(settings, header=(f"Content-Security-Policy: {policy}",)))
    file, listing = await ask(app, "/page.html"), await ask(app, "/")
    assert file.fields.get_list("content-security-policy") == ["sandbox allow-scripts", policy]
    assert len(listing.fields.get_list("content-security-policy")) == 1


async def test_a_large_file_is_sent_whole_with_the_fields(site_of: SiteOf, tree: Path) -> None:
    data = bytes(range(256)) * 20_000
    (tree / "large.bin").write_bytes(data)
    site = await site_of(Settings(directory=tree, cors="*"))
    response = await site.get("/large.bin")
    assert (response.content, response.headers["access-control-allow-origin"]) == (data, "*")


async def test_a_field_that_the_app_writes_in_upper_case_is_its_own_one() -> None:
    async def app(_: Message, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Name", b"own")]})
        await send({"type": "http.response.body", "body": b""})

    exchange = await ask(AddedFields(app, [("x-name", "added")], cors=False), "/")
    assert exchange.sent[0]["headers"] == [(b"X-Name", b"own")]
