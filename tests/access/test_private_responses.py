"""The fields of private responses."""

import pytest

from async_downloads.access.private_responses import (
    PrivateResponse,
    _recurring,
    linked_fields,
    private_fields,
    send_private,
)
from async_downloads.access.signer import Link
from async_downloads.region_messages import Message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([], "private", id="none"),
        pytest.param([b"public, max-age=60"], "private, max-age=60", id="public"),
        pytest.param([b"Public,S-MaxAge=9, Max-Age=60"], "private, max-age=60", id="for shared caches"),
        pytest.param([b"no-cache"], "private, no-cache", id="no-cache"),
        pytest.param([b"private, max-age=1"], "private, max-age=1", id="private"),
        pytest.param([b"public", b"max-age=5"], "private, max-age=5", id="two lines"),
        pytest.param([b"public, no-store"], "no-store", id="no-store"),
        pytest.param([b'private="set-cookie, public", max-age=1'], "private, no-cache", id="quotes"),
    ],
)
def test_nothing_is_public(before: list[bytes], after: str) -> None:
    fields = private_fields([(b"cache-control", value) for value in before])
    assert fields == [(b"cache-control", after.encode())]


@pytest.mark.parametrize(
    ("media_type", "is_sandboxed"),
    [
        ("text/html; charset=utf-8", True),
        ("TEXT/HTML", True),
        ("image/svg+xml", True),
        ("application/xhtml+xml", True),
        ("application/xml", True),
        ("text/xml", True),
        ("application/atom+xml", True),
        ("text/html,x", True),
        ("text/plain, text/html", True),
        ("text/html (x)", True),
        ("text/html\t;charset=utf-8", True),
        ("text/plain; charset=utf-8", False),
        ("application/pdf", False),
        ("video/mp4", False),
    ],
)
def test_documents_are_in_a_sandbox(media_type: str, is_sandboxed: bool) -> None:
    policy = dict(private_fields([(b"content-type", media_type.encode())])).get(b"content-security-policy")
    assert policy == (b"sandbox allow-scripts" if is_sandboxed else None)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_page_keeps_its_own_policy(is_first: bool) -> None:
    fields = [(b"content-security-policy", b"default-src 'none'"), (b"content-type", b"text/html")]
    found = private_fields(fields if is_first else fields[::-1])
    assert [value for name, value in found if name == b"content-security-policy"] == [b"default-src 'none'"]


@pytest.mark.parametrize(
    ("status", "old", "new"),
    [
        pytest.param(200, b"attachment; filename=a", b"attachment; filename=b.txt", id="attachment"),
        pytest.param(206, b"inline", b"inline; filename=b.txt", id="inline"),
        pytest.param(200, None, b"inline; filename=b.txt", id="none"),
        pytest.param(404, None, None, id="error"),
    ],
)
def test_a_link_gives_its_name(status: int, old: bytes | None, new: bytes | None) -> None:
    fields = [(b"content-disposition", old)] if old else []
    found = linked_fields(fields, Link(0, name="b.txt"), status)
    assert [value for name, value in found if name == b"content-disposition"] == ([new] if new else [])


def test_a_link_is_in_no_referer() -> None:
    found = linked_fields([(b"referrer-policy", b"same-origin")], Link(0), 200)
    assert found == [(b"referrer-policy", b"no-referrer")]


async def test_a_cookie_is_sent_and_kept_in_no_cache() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    _recurring.clear()
    for cookie in (b"a=1", b"a=2"):
        fields = [(b"etag", b'"a"'), (b"set-cookie", cookie)]
        await send_private(send, {"type": "http.response.start", "status": 200, "headers": fields})
    assert [dict(message["headers"])[b"set-cookie"] for message in sent] == [b"a=1", b"a=2"]
    assert [dict(message["headers"])[b"cache-control"] for message in sent] == [b"private"] * 2
    assert not _recurring


@pytest.mark.parametrize("location", [b"https://other.example/a", b"//other.example/a", b"/a"])
async def test_a_redirect_that_may_leave_the_host_has_no_signature(location: bytes) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    private = PrivateResponse(send)
    private.link, private.cookie = Link(0, "/folder/", token="f.secret"), b"a=b"
    await private.send({"type": "http.response.start", "status": 301, "headers": [(b"location", location)]})
    [message] = sent
    assert dict(message["headers"])[b"location"] == location


async def test_fields_of_files_are_remembered_up_to_a_number() -> None:
    async def send(message: Message) -> None:
        message["headers"].append((b"x-added", b"by a middleware"))

    _recurring.clear()
    for number in (*range(257), 256):
        fields = [(b"etag", b'"%d"' % number)]
        start = {"type": "http.response.start", "status": 200, "headers": fields}
        await send_private(send, start)
        assert start["headers"] == [*fields, (b"cache-control", b"private"), (b"x-added", b"by a middleware")]
    assert len(_recurring) == 1
