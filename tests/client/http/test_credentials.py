"""Passwords of the netrc file and of URLs, with Basic and Digest authentication."""

import re
from collections.abc import Callable
from hashlib import md5
from pathlib import Path

import httpx
import pytest

from async_downloads.client.http.exchange import Exchange

BASIC = "Basic bWU6c2VjcmV0"
NETRC = "machine files.example login me password secret\ndefault login you password other\n"


@pytest.fixture(autouse=True)
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A netrc file with the password of one host."""
    path = tmp_path / "netrc"
    path.write_text(NETRC)
    monkeypatch.setenv("NETRC", str(path))
    return path


async def _fields(
    url: str, headers: tuple[tuple[str, str], ...] = (), auth: tuple[str, str] | None = None, *, use_netrc: bool = True
) -> list[str | None]:
    """Return the Authorization field of each request; the first path redirects to files.example."""
    seen: list[str | None] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        elsewhere = {"Location": "https://files.example/a", "Content-Length": "0"}
        return httpx.Response(302, headers=elsewhere) if request.url.path == "/to" else httpx.Response(200)

    client = httpx.AsyncClient(transport=httpx.MockTransport(respond), auth=auth)
    async with Exchange(client, url, headers=headers, use_netrc=use_netrc).get({}):
        return seen


async def test_a_host_that_netrc_names_gets_its_password() -> None:
    assert await _fields("https://files.example/a") == [BASIC]
    assert await _fields("https://FILES.example/a") == [BASIC]
    assert await _fields("https://start.example/to") == [None, BASIC]
    assert await _fields("https://files.example/a", use_netrc=False) == [None]


async def test_a_url_with_a_user_name_gets_the_password_of_that_name() -> None:
    assert await _fields("https://me@files.example/a") == [BASIC]
    assert await _fields("https://a@files.example/a") == ["Basic YTo="]


async def test_what_the_caller_gives_is_used_instead_of_netrc() -> None:
    assert await _fields("https://files.example/a", (("Authorization", "Bearer x"),)) == ["Bearer x"]
    assert await _fields("https://a:b@files.example/a") == ["Basic YTpi"]
    assert await _fields("https://files.example/a", auth=("a", "b")) == ["Basic YTpi"]


@pytest.mark.parametrize("content", ["machine", "\udcff", None], ids=["malformed", "not UTF-8", "missing"])
async def test_a_netrc_that_cannot_be_read_names_no_host(netrc: Path, content: str | None) -> None:
    netrc.unlink()
    if content:
        netrc.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert await _fields("https://files.example/a") == [None]


class Digest:
    """A server that wants Digest authentication (RFC 7616), with a nonce that is stale after two requests."""

    def __init__(self, challenge: str = 'Digest realm="r", qop="auth", nonce="{nonce}", algorithm=MD5{stale}') -> None:
        self.requests: list[str] = []
        self._challenge = challenge
        self._used = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Respond with 200 if the request has the right digest."""
        field = request.headers.get("authorization", "")
        self.requests.append(field.partition(" ")[0])
        values = dict(re.findall(r'(\w+)="?([^",]*)"?', field))
        nonce = f"n{self._used // 2}"
        right = field.startswith("Digest ") and values["response"] == self._response(values, request)
        if right and values["nonce"] == nonce:
            self._used += 1
            return httpx.Response(200)
        challenge = self._challenge.format(nonce=nonce, stale=", stale=true" if right else "")
        return httpx.Response(401, headers={"WWW-Authenticate": challenge, "Content-Length": "0"})

    def _response(self, values: dict[str, str], request: httpx.Request) -> str:
        secret, asked = _md5("me:r:secret"), _md5(f"GET:{request.url.raw_path.decode()}")
        return _md5(f"{secret}:{values['nonce']}:{values['nc']}:{values['cnonce']}:{values['qop']}:{asked}")


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


async def _statuses(server: Callable[[httpx.Request], httpx.Response], url: str, count: int) -> list[int]:
    exchange, statuses = Exchange(httpx.AsyncClient(transport=httpx.MockTransport(server)), url), []
    for _ in range(count):
        async with exchange.get({}) as response:
            statuses.append(response.status_code)
    return statuses


@pytest.mark.parametrize("url", ["https://me:secret@other.example/a?b=c", "https://files.example/a"])
async def test_a_server_that_wants_a_digest_gets_it_and_later_at_once(url: str) -> None:
    server = Digest()
    assert await _statuses(server, url, 3) == [200, 200, 200]
    assert server.requests == ["Basic", "Digest", "Digest", "Digest", "Digest"]  # the third nonce is a new one


DIGEST = 'Digest realm="r", qop="auth", nonce="{nonce}"'


@pytest.mark.parametrize(
    "challenge",
    [
        pytest.param(f"{DIGEST}, algorithm=SHA-512-256, {DIGEST}, algorithm=MD5", id="an unknown algorithm first"),
        pytest.param(f'Basic realm="r", {DIGEST}', id="Basic first"),
        pytest.param(f'Negotiate, {DIGEST}, Basic realm="r"', id="between others"),
        pytest.param(f"{DIGEST.replace(', ', ',')},opaque=a=b", id="no spaces"),
        pytest.param(DIGEST.replace(", nonce", r', opaque="\"a\", b", nonce'), id="quotes in a value"),
    ],
)
async def test_the_digest_is_chosen_from_several_challenges_in_one_field(challenge: str) -> None:
    server = Digest(challenge)
    assert await _statuses(server, "https://me:secret@other.example/a", 1) == [200]
    assert server.requests == ["Basic", "Digest"]


@pytest.mark.parametrize(
    ("url", "challenge", "requests"),
    [
        pytest.param("https://me:wrong@other.example/a", None, ["Basic", "Digest"], id="a wrong password"),
        pytest.param("https://other.example/a", None, [""], id="no password"),
        pytest.param("https://files.example/a", "Digest qop=auth", ["Basic"], id="no realm"),
        pytest.param(
            "https://files.example/a", 'Digest realm="r", nonce="n", algorithm=X', ["Basic"], id="an algorithm"
        ),
        pytest.param("https://files.example/a", 'Digest realm="r", nonce="n", qop="auth-int"', ["Basic"], id="qop"),
        pytest.param("https://files.example/a", 'Basic realm="r"', ["Basic"], id="Basic refused"),
    ],
)
async def test_a_digest_that_is_not_possible_is_not_tried_again(
    url: str, challenge: str | None, requests: list[str]
) -> None:
    server = Digest(challenge) if challenge else Digest()
    assert await _statuses(server, url, 1) == [401]
    assert server.requests == requests
