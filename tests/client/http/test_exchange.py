"""One request to the head of its response: redirects, credentials, and errors."""

import ssl
from collections.abc import Callable, Sequence

import httpx
import pytest

from async_downloads.client.decisions.retries import TransientError
from async_downloads.client.http.exchange import Exchange
from async_downloads.errors import BadResponse, NetworkError, RefusedRedirect, Stalled, TlsError
from client.remote import ScriptedBody

SECRETS = (("Authorization", "Bearer secret"), ("X-Api-Key", "secret"), ("User-Agent", "me"), ("Range", "bytes=9-"))


class Site:
    """A server that redirects some paths, responds 200 to all others, and records the requests."""

    def __init__(self, **redirects: str) -> None:
        self.requests: list[httpx.Request] = []
        self.bodies: list[ScriptedBody] = []
        self._redirects = redirects

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Respond to one request."""
        self.requests.append(request)
        location = self._redirects.get(request.url.path.strip("/"))
        self.bodies.append(ScriptedBody([b"gone"]))
        if location is None:
            return httpx.Response(200, stream=self.bodies[-1])
        return httpx.Response(302, headers={"Location": location, "Content-Length": "4"}, stream=self.bodies[-1])


def exchange(
    respond: Callable[[httpx.Request], httpx.Response],
    url: str = "https://example.com/a",
    headers: Sequence[tuple[str, str]] = (),
    *,
    insecure_redirects: bool = False,
) -> Exchange:
    """An exchange with a server inside the process."""
    client = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    return Exchange(client, url, headers=headers, insecure_redirects=insecure_redirects)


async def test_a_request_asks_for_no_content_coding() -> None:
    site = Site()
    async with exchange(site).get({"Range": "bytes=0-"}) as response:
        assert response.status_code == 200
    (request,) = site.requests
    assert (request.headers["accept-encoding"], request.headers["range"]) == ("identity", "bytes=0-")


async def test_the_response_is_closed_at_the_end() -> None:
    site = Site()
    async with exchange(site).get({}):
        assert not site.bodies[0].closed
    assert site.bodies[0].closed


async def test_a_redirected_request_keeps_its_fields() -> None:
    site = Site(a="/b", b="c")
    async with exchange(site, headers=SECRETS).get({"Range": "bytes=5-"}) as response:
        assert response.url == "https://example.com/c"
    assert {request.headers["range"] for request in site.requests} == {"bytes=5-"}
    assert {request.headers["x-api-key"] for request in site.requests} == {"secret"}
    assert all(body.closed for body in site.bodies)


async def test_each_request_starts_at_the_original_url() -> None:
    site = Site(a="/b")
    one = exchange(site)
    for _ in range(2):
        async with one.get({}):
            pass
    assert [request.url.path for request in site.requests] == ["/a", "/b", "/a", "/b"]


@pytest.mark.parametrize(
    "location",
    [
        pytest.param("https://example.org/b", id="another host"),
        pytest.param("https://example.com:444/b", id="another port"),
        pytest.param("https://name:password@example.net/b", id="another host that has its own"),
    ],
)
async def test_another_origin_sees_no_credentials(location: str) -> None:
    site = Site(a=location)
    client = httpx.AsyncClient(
        transport=httpx.MockTransport(site), headers={"X-Client": "secret"}, cookies={"session": "secret"}
    )
    async with Exchange(client, "https://me:secret@example.com/a", headers=SECRETS).get({"If-Range": '"a"'}):
        pass
    first, second = site.requests
    assert "secret" not in repr(second.headers.raw)
    assert (second.headers["user-agent"], second.headers["if-range"]) == ("me", '"a"')
    assert first.headers["x-client"] == "secret"


@pytest.mark.parametrize(
    ("headers", "public"),
    [
        pytest.param((), ("the client", "text/a"), id="of the client"),
        pytest.param((("user-agent", "the caller"),), ("the caller", "text/a"), id="of the caller"),
    ],
)
async def test_another_origin_sees_user_agent_and_accept(
    headers: Sequence[tuple[str, str]], public: tuple[str, str]
) -> None:
    site = Site(a="https://example.org/b")
    own = {"User-Agent": "the client", "Accept": "text/a"}
    client = httpx.AsyncClient(transport=httpx.MockTransport(site), headers=own)
    async with Exchange(client, "https://example.com/a", headers=headers).get({}):
        pass
    assert [(sent.headers["user-agent"], sent.headers["accept"]) for sent in site.requests] == [public, public]


async def test_a_redirect_from_https_to_http_is_refused() -> None:
    with pytest.raises(RefusedRedirect, match=r"from https to http, to example\.com"):
        async with exchange(Site(a="http://example.com/b")).get({}):
            pass


async def test_a_redirect_from_https_to_http_can_be_allowed() -> None:
    async with exchange(Site(a="http://example.com/b"), insecure_redirects=True).get({}) as response:
        assert response.url.scheme == "http"


@pytest.mark.parametrize(
    ("location", "says"),
    [
        pytest.param("file:///etc/passwd", "not http or https", id="a file"),
        pytest.param("data:,", "invalid URL", id="no host"),
        pytest.param("https://example.com:port/", "invalid URL", id="an invalid port"),
        pytest.param("https://[example.com", "invalid URL", id="half of an address"),
        pytest.param("/a", "more than 20 redirects", id="a loop"),
    ],
)
async def test_a_redirect_that_is_not_possible_is_refused(location: str, says: str) -> None:
    site = Site(a=location)
    with pytest.raises(RefusedRedirect, match=says):
        async with exchange(site).get({}):
            pass
    assert all(body.closed for body in site.bodies)


async def test_a_redirect_to_an_address_with_a_zone_is_followed() -> None:
    async with exchange(Site(a="https://[fe80::1%25eth0]/b")).get({}) as response:
        assert response.url.host == "fe80::1%25eth0"


@pytest.mark.parametrize("url", ["", "example.com/a", "ftp://example.com/", "http://", "http://a:b", "http:///a"])
def test_an_invalid_url_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match="not a URL"):
        exchange(Site(), url)


def raising(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    """Return a server that raises the error."""

    def respond(request: httpx.Request) -> httpx.Response:
        raise error

    return respond


def _tls() -> httpx.ConnectError:
    error = httpx.ConnectError("certificate verify failed")
    error.__context__ = ConnectionError()
    error.__context__.__cause__ = ssl.SSLCertVerificationError()
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(httpx.ConnectError("refused"), NetworkError, id="refused"),
        pytest.param(httpx.ConnectTimeout(""), NetworkError, id="no connection in time"),
        pytest.param(httpx.ReadTimeout(""), Stalled, id="no response in time"),
        pytest.param(httpx.ReadError(""), NetworkError, id="reset"),
        pytest.param(httpx.ProxyError("proxy"), NetworkError, id="the proxy"),
        pytest.param(httpx.RemoteProtocolError("Server disconnected without…"), NetworkError, id="closed"),
        pytest.param(httpx.RemoteProtocolError("illegal status line"), BadResponse, id="not HTTP"),
    ],
)
async def test_a_failure_that_may_pass_is_a_transient_error(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(TransientError) as caught:
        async with exchange(raising(error)).get({}):
            pass
    assert type(caught.value.error) is kind


async def test_a_certificate_that_is_not_valid_is_final() -> None:
    with pytest.raises(TlsError, match="verify failed"):
        async with exchange(raising(_tls())).get({}):
            pass


@pytest.mark.parametrize("header", [("X-Ü", "a"), ("X-A", "\u20ac")])
async def test_a_header_that_cannot_be_encoded_is_a_value_error(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="can't encode"):
        async with exchange(Site(), headers=[header]).get({}):
            pass


async def test_a_long_body_of_a_redirect_is_not_read() -> None:
    long = ScriptedBody([bytes(100_000)] * 3)

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/a":
            return httpx.Response(302, headers={"Location": "/b", "Content-Length": "300000"}, stream=long)
        return httpx.Response(200)

    async with exchange(respond).get({}) as response:
        assert response.status_code == 200
    assert long.closed


async def test_a_header_that_http_forbids_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="the request is not valid: Illegal header value"):
        async with exchange(raising(httpx.LocalProtocolError("Illegal header value"))).get({}):
            pass


async def test_the_message_has_the_text_of_the_system() -> None:
    error = httpx.ConnectError("All connection attempts failed")
    error.__context__ = ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)")
    with pytest.raises(TransientError, match="Connection refused"):
        async with exchange(raising(error)).get({}):
            pass


async def test_the_credentials_of_a_client_are_for_the_first_origin_only() -> None:
    site = Site(a="/b", b="https://example.org/c")
    client = httpx.AsyncClient(transport=httpx.MockTransport(site), auth=("me", "secret"))
    async with Exchange(client, "https://example.com/a").get({}):
        pass
    assert ["authorization" in request.headers for request in site.requests] == [True, True, False]


async def test_the_credentials_of_the_url_are_sent_to_its_origin_after_a_redirect_too() -> None:
    site = Site(a="https://example.com/b", b="https://example.org/c")
    async with exchange(site, "https://me:secret@example.com/a").get({}):
        pass
    assert ["authorization" in request.headers for request in site.requests] == [True, True, False]


@pytest.mark.parametrize(("query", "coding"), [("file=a.tar.gz", None), ("file=a.txt", "gzip")])
async def test_the_name_of_an_archive_may_be_in_the_query(query: str, coding: str | None) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/octet-stream"}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, stream=ScriptedBody([b""])))
    async with httpx.AsyncClient(transport=transport) as client:
        requested = Exchange(client, f"http://example.com/download?{query}")
        async with requested.get({}) as response:
            assert requested.head(response).fields.get("content-encoding") == coding
