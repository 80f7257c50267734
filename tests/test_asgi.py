"""Downloads, driven by hand: messages from and to the server."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Message, ask, scope
from harness.sources import OneStore

from async_downloads.asgi import Downloads, request_head
from async_downloads.errors import (
    DownloadError,
    Forbidden,
    IsDirectory,
    NotFound,
    SourceBusy,
    SourceChanged,
    SourceError,
    SourceTruncated,
)
from async_downloads.request_target import normalized
from async_downloads.semantics.representation import Representation
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.memory import MemorySource, MemoryStore

DATA = bytes(range(256)) * 8


async def key_for(target: str, **options: Any) -> str:
    """Return the key that the app looks up for a request."""
    store = OneStore(NotFound(""))
    await ask(Downloads(store), target, **options)
    [(key, _)] = store.asked
    return key


def memory(**named: bytes) -> Downloads:
    """An app over sources in memory; a key's dot is written as an underscore."""
    return Downloads(
        MemoryStore(
            {
                name.replace("_", "."): MemorySource(data, Representation(len(data), filename=name.replace("_", ".")))
                for name, data in named.items()
            }
        )
    )


async def test_the_lifespan_is_confirmed() -> None:
    expected: asyncio.Queue[Message] = asyncio.Queue()
    sent = []

    async def send(message: Message) -> None:
        sent.append(message["type"])

    for phase in ("startup", "shutdown"):
        expected.put_nowait({"type": f"lifespan.{phase}"})
    await memory()({"type": "lifespan"}, expected.get, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_websocket_is_closed_before_its_handshake() -> None:
    sent = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    await memory(a=DATA)({"type": "websocket", "path": "/a"}, receive, send)
    assert sent == ["websocket.close"]


async def test_a_scope_of_another_kind_gets_no_response() -> None:
    exchange = await ask(memory(a=DATA), "/a", type="webtransport")
    assert not exchange.sent


async def test_options_gets_the_methods_without_a_look_for_the_file() -> None:
    response = await ask(memory(), "/nothing", method="OPTIONS")
    assert (response.status, response.fields["allow"], response.body) == (204, "GET, HEAD, OPTIONS", b"")
    assert "content-length" not in response.fields  # RFC 9110 §8.6


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get", "BREW"])
async def test_any_other_method_is_405_with_allow(method: str) -> None:
    response = await ask(memory(a=DATA), "/a", method=method)
    assert (response.status, response.fields["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert response.body == b"405 Method Not Allowed\n"


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.9", "2", "3"])
async def test_every_known_version_of_http_works(version: str) -> None:
    assert (await ask(memory(a=DATA), "/a", http_version=version)).body == DATA


@pytest.mark.parametrize("version", ["0.9", "1", "1.10", "2.1", "4"])
async def test_an_unknown_version_of_http_is_505(version: str) -> None:
    assert (await ask(memory(a=DATA), "/a", http_version=version)).status == 505


@pytest.mark.parametrize(
    ("target", "key"),
    [
        ("/", ""),
        ("/a/b.txt", "a/b.txt"),
        ("/a%20b", "a b"),
        ("/a%2Fb", "a/b"),
        ("/%2e%2e/a", "../a"),
        ("//etc/passwd", "etc/passwd"),
        ("/./a", "a"),
        ("/a//b///c", "a/b/c"),
        ("/a/../b", "b"),
        ("/a/b/../../../c", "../c"),
        ("/../../c/..", "../.."),
        ("/a/%2e%2e/b", "b"),
        ("/a%2f..%2fb", "b"),
        ("/a/b/..", "a/"),
        ("/a/.", "a/"),
        ("/a/..", ""),
        ("/a//", "a/"),
        ("/...", "..."),
        ("/a./.b/..c", "a./.b/..c"),
        ("/a/", "a/"),
        ("/caf%E9/../b/./%E9", "b/\udce9"),
        ("/%C3%A9", "é"),
        ("/%EF%BF%BD", "\ufffd"),
        ("/caf%E9", "caf\udce9"),
        ("/%ff%C3%A9?%ff", "\udcffé"),
        ("/a%00", "a\0"),
    ],
)
async def test_the_path_names_the_key(target: str, key: str) -> None:
    assert await key_for(target) == key


@pytest.mark.parametrize(
    ("target", "key"),
    [
        pytest.param("http://localhost/a/b", "a/b", id="§3.2.2 absolute-form"),
        pytest.param("HTTPS://localhost:8000/a", "a", id="§3.2.2 another scheme and a port"),
        pytest.param("/http://localhost/a", "http:/localhost/a", id="§3.2.1 origin-form"),
    ],
)
async def test_a_request_for_a_whole_url_is_one_for_its_path(target: str, key: str) -> None:
    assert await key_for(target) == key


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/files/a", "a"),
        ("/files/", ""),
        ("/files", ""),
        ("/a", "a"),
        ("/filesystem/a", "filesystem/a"),
        ("/files//a/./b", "a/b"),
        ("/files/../a", "../a"),
    ],
)
async def test_below_a_root_path_the_rest_names_the_key(path: str, key: str) -> None:
    assert await key_for(path, root_path="/files") == key


async def test_a_path_of_any_length_is_normalized() -> None:
    """Else a long path could lead around the check of a password."""
    assert normalized("/" + "./" * 50_000 + "a/../b") == "/b"


@pytest.mark.parametrize(
    ("path", "raw", "key"),
    [
        ("/a.txt/", b"/files/a.txt", "a.txt"),
        ("/a.txt/", b"/files/a.txt?x=/", "a.txt"),
        ("/sub/", b"/files/sub/", "sub/"),
        ("/sub/", b"/files/sub%2F", "sub/"),
        ("/sub/", b"", "sub/"),
        ("/", b"/files", ""),
    ],
)
async def test_a_slash_that_the_client_did_not_send_is_no_part_of_the_key(path: str, raw: bytes, key: str) -> None:
    assert await key_for(path, raw_path=raw) == key


async def test_a_name_that_is_no_utf_8_is_served(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).write_bytes(DATA)
    assert (await ask(Downloads(DirectoryStore(tmp_path)), "/caf%E9")).body == DATA


@pytest.mark.parametrize(
    "target",
    ["//etc/passwd", "/../etc/passwd", "/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "/..%5cetc", "/%00", "/"],
)
async def test_a_path_that_leads_out_is_404(tmp_path: Path, target: str) -> None:
    assert (await ask(Downloads(DirectoryStore(tmp_path)), target)).status == 404


@pytest.mark.parametrize("fields", [[("Range", "bytes=0-1"), ("Range", "bytes=2-3")], [("Range", "bytes=0-1, 2-3")]])
async def test_the_lines_of_a_field_are_one_value(fields: list[tuple[str, str]]) -> None:
    response = await ask(memory(a=DATA), "/a", fields=[*fields, ("Accept", "*/*"), ("Host", "localhost")])
    whole = len(fields) == 2  # "bytes=0-1, bytes=2-3" is malformed and ignored
    assert (response.status, response.body) == ((200, DATA) if whole else (206, DATA[:4]))


async def test_the_lines_of_a_list_of_codings_are_one_list() -> None:
    store = OneStore(NotFound(""))
    await ask(Downloads(store), "/a", fields=[("Accept-Encoding", "gzip;q=0.5"), ("Accept-Encoding", "br")])
    assert store.asked == [("a", ("br", "gzip"))]


async def test_servers_with_one_secret_name_the_same_boundary() -> None:
    async def content_type(secret: str | None) -> str:
        source = MemorySource(DATA, Representation(len(DATA)))
        app = Downloads(OneStore(source), secret=secret)
        return (await ask(app, "/a", fields=[("Range", "bytes=0-1,9-10")])).fields["content-type"]

    assert await content_type("one") == await content_type("one")
    assert len({await content_type("one"), await content_type("two"), await content_type(None)}) == 3


def test_processes_with_the_variable_name_the_same_boundary() -> None:
    program = "from async_downloads.responder import boundary_secret; print(boundary_secret(), boundary_secret('own'))"

    def printed(secret: str) -> str:
        variables = {**os.environ, "ASYNC_DOWNLOADS_SECRET": secret}
        command = [sys.executable, "-c", program]
        return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout

    assert printed("one for all") == "b'one for all' b'own'\n"
    assert printed("") != printed("")


@pytest.mark.parametrize("lines", [1, 3000])
async def test_a_field_of_many_lines_is_put_together_once(lines: int) -> None:
    fields = [("If-None-Match", f'"{number}"') for number in range(lines)]
    head = request_head(scope("/a", fields=fields))
    assert head.fields["if-none-match"] == ", ".join(value for _, value in fields)


@pytest.mark.parametrize(
    ("attachment", "query", "expected"),
    [
        (False, "", None),
        (False, "?download", "attachment"),
        (False, "?download=1", "attachment"),
        (False, "?a=b&download=", "attachment"),
        (False, "?attachment=1", "attachment"),
        (False, "?inline", None),
        (False, "?downloads", None),
        (True, "", "attachment"),
        (True, "?inline", "inline"),
        (True, "?inline=1&a", "inline"),
        (True, "?a", "attachment"),
        (True, "?inline&download", "attachment"),
    ],
)
async def test_the_query_chooses_between_attachment_and_inline(
    attachment: bool, query: str, expected: str | None
) -> None:
    source = MemorySource(DATA, Representation(len(DATA), filename="a.txt"))
    response = await ask(Downloads(OneStore(source), attachment=attachment), f"/a{query}")
    assert response.fields.get("content-disposition") == (f"{expected}; filename=a.txt" if expected else None)


@pytest.mark.parametrize(("value", "expected"), [("max-age=60", "max-age=60"), (None, None), ("", None)])
async def test_cache_control_goes_with_every_response_that_has_a_representation(
    value: str | None, expected: str | None
) -> None:
    app = Downloads(OneStore(MemorySource(DATA, Representation(len(DATA)))), cache_control=value)
    for fields in ([], [("Range", "bytes=0-1")]):
        assert (await ask(app, "/a", fields=fields)).fields.get("cache-control") == expected


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("s3cret"), 404),
        (IsDirectory("s3cret"), 404),
        (Forbidden("s3cret"), 403),
        (SourceError("s3cret"), 502),
        (SourceChanged("s3cret"), 502),
        (SourceTruncated("s3cret"), 502),
        (SourceBusy("s3cret", retry_after=7), 503),
        (DownloadError("s3cret"), 500),
    ],
)
async def test_an_error_is_a_status_for_the_client_and_a_line_for_the_operator(
    error: DownloadError, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    response = await ask(Downloads(OneStore(error)), "/a")
    assert response.status == status
    assert b"s3cret" not in response.body
    assert response.fields["content-length"] == str(len(response.body))
    assert response.fields.get("retry-after") == ("7" if status == 503 else None)
    assert ["s3cret" in line for line in caplog.messages] == ([] if status == 404 else [True])
