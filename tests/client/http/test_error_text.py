"""The server's own reason for an error status."""

from pathlib import Path

import httpx
import pytest

from async_downloads.client import Downloader
from async_downloads.client.http.error_text import read_error_text
from async_downloads.errors import BadStatus, RetriesExhausted
from client.remote import URL, Remote, ScriptedBody

REQUEST = httpx.Request("GET", "https://example.com/a")
EXPIRED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Request has expired</Message><Expires>2026</Expires></Error>"""


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(EXPIRED, "Request has expired", id="S3"),
        pytest.param(b'{"message": "Not here", "documentation_url": "x"}', "Not here", id="GitHub"),
        pytest.param(b'{"error": {"code": 403, "message": "Quota\\nexceeded"}}', "Quota exceeded", id="Google"),
        pytest.param(b'{"title": "Gone", "status": 410}', "Gone", id="RFC 9457"),
        pytest.param(b'{"a": 1}', "", id="JSON that says nothing"),
        pytest.param(b"[1]", "[1]", id="JSON of another kind"),
        pytest.param(b"<html><head><title>Too &amp; many</title></head><h1>x</h1>", "Too & many", id="HTML"),
        pytest.param(b"<p>Please <b>wait</b></p>", "Please wait", id="HTML without a title"),
        pytest.param(b"\n  no such file \nmore", "no such file", id="text"),
        pytest.param(b"a\x1b[31mb\xff", "a_[31mb\ufffd", id="controls"),
        pytest.param(b"a" * 1000, "a" * 200, id="a long line"),
        pytest.param(b"a" * 9000, "", id="a long body"),
        pytest.param(b"", "", id="nothing"),
    ],
)
async def test_the_reason_in_a_body_is(body: bytes, text: str) -> None:
    response = httpx.Response(403, stream=ScriptedBody([body]), request=REQUEST)
    assert await read_error_text(response) == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b"<pre>Cannot GET /a?key=k&amp;signature=5ec%2Fret</pre>", "Cannot GET /a?***", id="the query"),
        pytest.param(b"the signature 5ec/ret does not fit", "the signature *** does not fit", id="one parameter"),
        pytest.param(b"wrong signature=5ec%2Fret", "wrong signature=***", id="one parameter as it was sent"),
        pytest.param(b"no such token: dG9rZW4=", "no such token: ***", id="the password"),
        pytest.param(b"Bearer dG9rZW4= has expired", "*** has expired", id="the whole field"),
        pytest.param(b"session=abcdef0 has ended", "*** has ended", id="a cookie"),
        pytest.param(b"not with bytes=0-9 and me/1.0", "not with bytes=0-9 and me/1.0", id="fields without a secret"),
        pytest.param(b"k is no key", "k is no key", id="a short value"),
    ],
)
async def test_secrets_of_the_request_are_not_shown(body: bytes, text: str) -> None:
    fields = {"Authorization": "Bearer dG9rZW4=", "Cookie": "a=1; session=abcdef0", "Range": "bytes=0-9"}
    url = "https://example.com/a?key=k&signature=5ec%2Fret"
    request = httpx.Request("GET", url, headers={**fields, "User-Agent": "me/1.0"})
    assert await read_error_text(httpx.Response(403, stream=ScriptedBody([body]), request=request)) == text


@pytest.mark.parametrize("text", ["", "Not Found", "not found", "404 Not Found"])
def test_a_reason_that_repeats_the_status_is_left_out(text: str) -> None:
    assert str(BadStatus(404).explained(text)) == "the server responded 404 Not Found"


def test_a_reason_does_not_repeat_the_status_at_its_beginning() -> None:
    explained = BadStatus(400).explained("400 Bad Request: this port expects HTTPS")
    assert str(explained) == "the server responded 400 Bad Request: this port expects HTTPS"


async def test_a_coded_or_broken_body_has_no_reason() -> None:
    coded = httpx.Response(403, headers={"Content-Encoding": "gzip"}, stream=ScriptedBody([b"x"]))
    assert await read_error_text(coded) == ""
    assert await read_error_text(httpx.Response(403, content=b"read")) == ""
    assert (
        await read_error_text(
            httpx.Response(403, stream=ScriptedBody([b"half"], httpx.ReadError("x")), request=REQUEST)
        )
        == "half"
    )


async def test_the_message_of_an_error_has_the_reason(one: Downloader, remote: Remote, path: Path) -> None:
    remote.faults = [lambda remote, request: httpx.Response(403, stream=ScriptedBody([EXPIRED]))] * 2
    with pytest.raises(BadStatus, match=r"^the server responded 403 Forbidden: Request has expired$"):
        await one.fetch(URL, path)


@pytest.mark.usefixtures("quick")
async def test_the_message_after_retries_has_the_reason(one: Downloader, remote: Remote, path: Path) -> None:
    remote.faults = [lambda remote, request: httpx.Response(503, stream=ScriptedBody([b"busy"]))] * 6
    with pytest.raises(RetriesExhausted, match=r"503 Service Unavailable: busy$"):
        await one.fetch(URL, path)
