"""The cookie of a signed folder."""

from typing import Any

import pytest
from harness.asgi import scope

from async_downloads.access.cookies import cookie_of, tokens_in
from async_downloads.access.signer import Link

FAR = 32_503_680_000


def _path(folder: str, target: str, **more: Any) -> str:
    cookie = cookie_of(Link(FAR, folder, token="token"), scope(target, **more))
    assert cookie
    return cookie.decode().partition("Path=")[2].partition(";")[0]


@pytest.mark.parametrize(
    ("folder", "target", "path"),
    [
        pytest.param("/", "/", "/", id="top"),
        pytest.param("/a/", "/a/b/c.txt", "/a/", id="plain"),
        pytest.param("/a b/", "/a%20b/", "/a%20b/", id="escaped"),
        pytest.param("/(a)/", "/(a)/x", "/(a)/", id="not escaped by the browser"),
        pytest.param("/(a)/", "/%28a%29/x", "/%28a%29/", id="escaped by the browser"),
        pytest.param("/a/", "//a/", "/a/", id="two slashes"),
        pytest.param("/a;b/", "/a;b/", "/a%3Bb/", id="semicolon"),
    ],
)
def test_the_cookie_is_for_the_folder_as_the_browser_writes_it(folder: str, target: str, path: str) -> None:
    assert _path(folder, target) == path


def test_the_cookie_is_kept_from_scripts_and_from_plain_connections() -> None:
    cookie = cookie_of(Link(FAR, "/a/", token="token"), scope("/a/", scheme="https"))
    assert cookie
    assert cookie.startswith(b"async_downloads_link=token; Path=/a/; Max-Age=")
    assert cookie.endswith(b"; HttpOnly; SameSite=Lax; Secure")


def test_a_link_to_a_file_needs_no_cookie() -> None:
    assert cookie_of(Link(FAR, token="token"), scope("/a")) is None


def test_the_cookies_of_several_folders_are_read() -> None:
    fields = [("Cookie", "x=1; async_downloads_link=a; async_downloads_link=b"), ("Cookie", "async_downloads_link=c")]
    assert list(tokens_in(scope("/", fields=fields))) == [b"a", b"b", b"c"]
    assert list(tokens_in(scope("/"))) == []
    many = "; ".join(["async_downloads_link=a"] * 100)
    assert len(list(tokens_in(scope("/", fields=[("Cookie", many)])))) == 8
