"""Cookies on the way through redirects, and cookies of a file."""

from pathlib import Path

import httpx
import pytest

from async_downloads.client import Downloader, NetworkOptions
from async_downloads.client.http.cookies import read_cookies
from async_downloads.client.http.exchange import Exchange
from async_downloads.client.http.transport import new_client
from client.remote import Remote


class Login:
    """A server whose files need the cookie of a login on another host."""

    def __init__(self) -> None:
        self.cookies: dict[str, str | None] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Respond to a request, and note its cookies."""
        self.cookies[f"{request.url.host}{request.url.path}"] = request.headers.get("cookie")
        match request.url.host, request.url.path:
            case "login.example", _:
                fields = {"Location": "https://files.example/back", "Set-Cookie": "login=1; Path=/"}
            case "files.example", "/back":
                fields = {"Location": "/a", "Set-Cookie": "in=1; Path=/"}
            case "files.example", _ if "in=1" not in request.headers.get("cookie", ""):
                fields = {"Location": "https://login.example/"}
            case _:
                return httpx.Response(200)
        return httpx.Response(302, headers={**fields, "Content-Length": "0"})


async def _status(client: httpx.AsyncClient, url: str, headers: tuple[tuple[str, str], ...] = ()) -> int:
    async with Exchange(client, url, headers=headers).get({}) as response:
        return response.status_code


async def test_cookies_of_hosts_on_the_way_are_sent_to_these_hosts() -> None:
    login = Login()
    client = httpx.AsyncClient(transport=httpx.MockTransport(login))
    assert await _status(client, "https://start.example/x") == 200
    assert await _status(client, "https://files.example/a") == 200
    assert login.cookies["files.example/a"] == "in=1"
    login.cookies.clear()
    assert await _status(client, "https://files.example/a") == 200
    assert login.cookies == {"files.example/a": "in=1"}


async def test_cookies_of_the_caller_stay_at_home_and_are_joined_by_those_of_the_server() -> None:
    login = Login()
    client = httpx.AsyncClient(transport=httpx.MockTransport(login), cookies={"mine": "secret"})
    headers = (("Cookie", "own=secret; in=0"),)
    assert await _status(client, "https://files.example/a", headers) == 200
    assert login.cookies["login.example/"] is None
    assert sorted((login.cookies["files.example/a"] or "").split("; ")) == ["in=1", "mine=secret", "own=secret"]


FILE = """# Netscape HTTP Cookie File
example.com\tFALSE\t/folder\tFALSE\t0\tsession\tone
#HttpOnly_.example.com\tTRUE\t/\tTRUE\t4102444800\tsecure\ttwo
.example.com\tTRUE\t/\tFALSE\t1\texpired\tthree

other.example\tFALSE\t/\tFALSE\t0\tother\tfour
localhost\tFALSE\t/\tFALSE\t0\tlocal\tfive
"""


@pytest.mark.parametrize(
    ("url", "cookies"),
    [
        ("http://example.com/folder/a", "session=one"),
        ("https://example.com/folder/a", "session=one; secure=two"),
        ("https://www.example.com/", "secure=two"),
        ("http://example.com/", None),
        ("http://other.example/", "other=four"),
        ("http://www.other.example/", None),
        ("http://localhost:8000/", "local=five"),
        ("http://www.localhost/", None),
    ],
)
async def test_the_cookies_of_a_file_are_sent_by_their_rules(tmp_path: Path, url: str, cookies: str | None) -> None:
    path = tmp_path / "cookies.txt"
    path.write_text(FILE)
    seen: list[str | None] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        return httpx.Response(200)

    client = httpx.AsyncClient(transport=httpx.MockTransport(respond), cookies=read_cookies(path))
    async with Exchange(client, url).get({}):
        assert seen == [cookies]


@pytest.mark.parametrize(("domain", "sent"), [("", None), ("; Domain=site.example", "in=1")])
@pytest.mark.parametrize("start", ["http://x.site.example/", "http://other.example/"])
async def test_a_cookie_without_a_domain_is_for_its_own_host_alone(start: str, domain: str, sent: str | None) -> None:
    seen: dict[str, str | None] = {}

    def respond(request: httpx.Request) -> httpx.Response:
        seen[request.url.host] = request.headers.get("cookie")
        if request.url.host != "site.example":
            return httpx.Response(200)
        return httpx.Response(302, headers={"Set-Cookie": f"in=1{domain}", "Location": start, "Content-Length": "0"})

    client = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    assert await _status(client, "http://site.example/") == 200
    assert await _status(client, "http://x.site.example/") == 200
    assert seen["x.site.example"] == sent
    assert seen.get("other.example") is None


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        pytest.param("0\ta\té", None, id="a value beyond ASCII"),
        pytest.param("99999999999.25\ta\tb", "a=b", id="a fraction of a second"),
        pytest.param("1.5\ta\tb", None, id="a fraction in the past"),
        pytest.param("0\ta", "a=", id="no value"),
    ],
)
async def test_cookies_are_read_as_programs_write_them(tmp_path: Path, columns: str, field: str | None) -> None:
    (tmp_path / "cookies.txt").write_text(f"files.example\tFALSE\t/\tFALSE\t{columns}\n", "utf-8")
    seen: list[str | None] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        return httpx.Response(200)

    cookies = read_cookies(tmp_path / "cookies.txt")
    client = httpx.AsyncClient(transport=httpx.MockTransport(respond), cookies=cookies)
    assert await _status(client, "http://files.example/") == 200
    assert seen == [field]


async def test_a_cookie_of_a_server_beyond_ascii_is_not_kept() -> None:
    seen: list[str | None] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        fields = [
            (b"Location", b"/b"),
            (b"Set-Cookie", "a=é; Path=/".encode()),
            (b"Set-Cookie", b"b=c"),
            (b"Content-Length", b"0"),
        ]
        return httpx.Response(302, headers=fields) if request.url.path == "/a" else httpx.Response(200)

    client = httpx.AsyncClient(transport=httpx.MockTransport(respond), cookies=new_client().cookies.jar)
    assert await _status(client, "http://files.example/a") == 200
    assert seen == [None, "b=c"]


@pytest.mark.parametrize("line", ["a=b", "example.com\tFALSE\t/\tFALSE\tsoon\ta\tb"])
async def test_a_line_that_is_no_cookie_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "cookies.txt").write_text(f"# comment\n{line}\n")
    with pytest.raises(ValueError, match=r"line 2 of .*cookies\.txt is not a cookie"):
        read_cookies(tmp_path / "cookies.txt")


async def test_a_file_of_cookies_that_cannot_be_read_is_named(tmp_path: Path, remote: Remote) -> None:
    with pytest.raises(ValueError, match="cannot read the cookies"):
        async with Downloader(network=NetworkOptions(cookie_file=tmp_path / "none")):
            pytest.fail("opened without its cookies")
