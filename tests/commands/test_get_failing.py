"""`async-downloads get`: each failure is one line, and has its exit code."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.scripted import Connection, hangs, head, scripted
from harness.threaded import threaded
from tools.getting import SHA256, VERSION, Get, Origin, files
from tools.getting import folder as folder  # noqa: PLC0414
from tools.getting import get as get  # noqa: PLC0414
from tools.getting import origin as origin  # noqa: PLC0414


@pytest.fixture
def refusing() -> Iterator[str]:
    """A URL whose port refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/a"


@pytest.mark.parametrize(
    ("path", "options", "code", "message"),
    [
        pytest.param(
            "a", ["--checksum", SHA256.replace("sha256:", "md5:")], 2, "checksum", id="2 a malformed checksum"
        ),
        pytest.param("a", ["-o", "a" * 300], 3, "File name too long", id="3 no file can have the name"),
        pytest.param("401", [], 6, "401 Unauthorized", id="6 the server wants a password"),
        pytest.param("407", [], 6, "407 Proxy Authentication Required", id="6 the proxy wants a password"),
        pytest.param("round-and-round", [], 7, "redirect", id="7 too many redirects"),
        pytest.param("404", [], 8, "404 Not Found", id="8 it is not there"),
        pytest.param("503", ["--retries", "1"], 8, "gave up after 2 tries: ", id="8 the server is busy for too long"),
        pytest.param("a", ["--checksum", f"sha256:{'0' * 64}"], 9, SHA256, id="9 another digest"),
    ],
)
def test_it_ends_with(
    get: Get, origin: Origin, folder: Path, path: str, options: list[str], code: int, message: str
) -> None:
    got = get(origin.url(path), *options)
    *_, line = got.lines
    assert (got.code, got.stdout) == (code, b"")
    assert line.startswith(f"async-downloads: {origin.url(path)}: ")
    assert message in line
    assert files(folder) == set()


def test_a_refused_connection_exits_with_4(get: Get, refusing: str, folder: Path) -> None:
    got = get(refusing, "--retries", "0")
    assert (got.code, files(folder)) == (4, set())
    assert got.line.startswith(f"async-downloads: {refusing}: ")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--timeout", "0.05"), id="timeout"),
        pytest.param(("--response-timeout", "0.05", "--stall-timeout", "1"), id="response timeout"),
    ],
)
def test_it_ends_with_4_when_nothing_comes(get: Get, folder: Path, options: tuple[str, ...]) -> None:
    """The stall timeout limits how long it takes to connect, which a response may take in addition."""
    with threaded(scripted(hangs)) as server:
        got = get(server.url, *options, "--retries", "0")
    assert (got.code, files(folder)) == (4, set())
    assert got.line.startswith(f"async-downloads: {server.url}: ")


def test_it_ends_with_5_when_the_certificate_is_not_to_be_trusted(
    get: Get, folder: Path, certificate: tuple[Path, Path]
) -> None:
    with threaded(scripted(hangs, certificate=certificate)) as server:
        got = get(server.url)
    assert (got.code, files(folder)) == (5, set())
    assert "certificate" in got.line


def test_redirects_from_https_to_http_need_the_option(
    get: Get, origin: Origin, folder: Path, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def redirects(connection: Connection) -> None:
        while await connection.request():
            await connection.send(head(f"Location: {origin.url('a')}", "Content-Length: 0", status="302 Found"))

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with threaded(scripted(redirects, certificate=certificate)) as server:
        assert (get(server.url).code, origin.requests) == (7, [])
        assert get(server.url, "--insecure-redirects", "-o", "a").code == 0
    assert VERSION.difference(folder / "a") is None


@pytest.mark.parametrize(
    "url",
    ["nonsense", "ftp://127.0.0.1/a", "http://", "http://me:hidden#@127.0.0.1/a", "http://a:x/", "http://[::1/hidden"],
)
def test_a_malformed_url_exits_with_2(get: Get, folder: Path, url: str) -> None:
    got = get(url)
    assert got.code == 2
    assert got.line.endswith(": not a URL: it must begin with http:// or https:// and have a host")
    assert "hidden" not in got.line
