"""Downloads, driven by hand: what a server tells it, and what it says to the server."""

import asyncio
import os
from pathlib import Path

import pytest
from harness.asgi import Message, ask
from harness.sources import OneStore

from async_downloads.asgi import Downloads
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
from async_downloads.semantics.representation import Representation
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.memory import MemorySource, MemoryStore

DATA = bytes(range(256)) * 8


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


async def test_lifespan_is_agreed_to() -> None:
    told: asyncio.Queue[Message] = asyncio.Queue()
    sent = []

    async def send(message: Message) -> None:
        sent.append(message["type"])

    for phase in ("startup", "shutdown"):
        told.put_nowait({"type": f"lifespan.{phase}"})
    await memory()({"type": "lifespan"}, told.get, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("kind", ["websocket", "webtransport"])
async def test_other_scopes_are_not_answered(kind: str) -> None:
    exchange = await ask(memory(a=DATA), "/a", type=kind)
    assert not exchange.sent


async def test_options_are_told_without_looking_for_the_file() -> None:
    answer = await ask(memory(), "/nothing", method="OPTIONS")
    assert (answer.status, answer.fields["allow"], answer.body) == (204, "GET, HEAD, OPTIONS", b"")
    assert "content-length" not in answer.fields  # RFC 9110 §8.6


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get", "BREW"])
async def test_any_other_method_is_405_with_allow(method: str) -> None:
    answer = await ask(memory(a=DATA), "/a", method=method)
    assert (answer.status, answer.fields["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert answer.body == b"405 Method Not Allowed\n"


@pytest.mark.parametrize("version", ["1.0", "1.1", "2", "3"])
async def test_every_version_of_http_is_answered(version: str) -> None:
    assert (await ask(memory(a=DATA), "/a", http_version=version)).body == DATA


@pytest.mark.parametrize("version", ["0.9", "1.2", "2.1", "4"])
async def test_a_version_of_http_that_nobody_knows_is_505(version: str) -> None:
    assert (await ask(memory(a=DATA), "/a", http_version=version)).status == 505


@pytest.mark.parametrize(
    ("target", "key"),
    [
        ("/", ""),
        ("/a/b.txt", "a/b.txt"),
        ("/a%20b", "a b"),
        ("/a%2Fb", "a/b"),
        ("/%2e%2e/a", "../a"),
        ("//etc/passwd", "/etc/passwd"),
        ("/a/", "a/"),
        ("/%C3%A9", "é"),
        ("/%EF%BF%BD", "\ufffd"),
        ("/caf%E9", "caf\udce9"),
        ("/%ff%C3%A9?%ff", "\udcffé"),
        ("/a%00", "a\0"),
    ],
)
async def test_the_path_names_the_key(target: str, key: str) -> None:
    store = OneStore(NotFound(""))
    await ask(Downloads(store), target)
    assert [asked for asked, _ in store.asked] == [key]


@pytest.mark.parametrize(
    ("target", "key"),
    [
        pytest.param("http://localhost/a/b", "a/b", id="§3.2.2 absolute-form"),
        pytest.param("HTTPS://localhost:8000/a", "a", id="§3.2.2 another scheme and a port"),
        pytest.param("/http://localhost/a", "http://localhost/a", id="§3.2.1 origin-form"),
    ],
)
async def test_a_request_for_a_whole_url_is_one_for_its_path(target: str, key: str) -> None:
    store = OneStore(NotFound("nothing"))
    await ask(Downloads(store), target)
    assert [asked for asked, _ in store.asked] == [key]


@pytest.mark.parametrize(
    ("path", "key"),
    [("/files/a", "a"), ("/files/", ""), ("/files", ""), ("/a", "a"), ("/filesystem/a", "filesystem/a")],
)
async def test_below_a_root_path_the_rest_names_the_key(path: str, key: str) -> None:
    store = OneStore(NotFound(""))
    await ask(Downloads(store), path, root_path="/files")
    assert [asked for asked, _ in store.asked] == [key]


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
    answer = await ask(memory(a=DATA), "/a", fields=[*fields, ("Accept", "*/*"), ("Host", "localhost")])
    whole = len(fields) == 2  # "bytes=0-1, bytes=2-3" is malformed and ignored
    assert (answer.status, answer.body) == ((200, DATA) if whole else (206, DATA[:4]))


async def test_the_lines_of_a_list_of_codings_are_one_list() -> None:
    store = OneStore(NotFound(""))
    await ask(Downloads(store), "/a", fields=[("Accept-Encoding", "gzip;q=0.5"), ("Accept-Encoding", "br")])
    assert store.asked == [("a", ("br", "gzip"))]


@pytest.mark.parametrize(
    ("attachment", "query", "told"),
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
async def test_the_query_says_whether_to_offer_or_to_show(attachment: bool, query: str, told: str | None) -> None:
    source = MemorySource(DATA, Representation(len(DATA), filename="a.txt"))
    answer = await ask(Downloads(OneStore(source), attachment=attachment), f"/a{query}")
    assert answer.fields.get("content-disposition") == (f"{told}; filename=a.txt" if told else None)


@pytest.mark.parametrize(("value", "told"), [("max-age=60", "max-age=60"), (None, None), ("", None)])
async def test_cache_control_goes_with_every_answer_that_has_a_representation(
    value: str | None, told: str | None
) -> None:
    app = Downloads(OneStore(MemorySource(DATA, Representation(len(DATA)))), cache_control=value)
    for fields in ([], [("Range", "bytes=0-1")]):
        assert (await ask(app, "/a", fields=fields)).fields.get("cache-control") == told


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
    answer = await ask(Downloads(OneStore(error)), "/a")
    assert answer.status == status
    assert b"s3cret" not in answer.body
    assert answer.fields["content-length"] == str(len(answer.body))
    assert answer.fields.get("retry-after") == ("7" if status == 503 else None)
    assert ["s3cret" in line for line in caplog.messages] == ([] if status == 404 else [True])
