"""The client with real servers: ours, nginx, Python's own and Flask."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from harness.ports import reserved_port
from harness.relay import Relay
from tools.command import COMMAND, environment
from tools.programs import need

from async_downloads.client import Downloader, Result
from async_downloads.errors import NetworkError

NAME: Final = "large file.bin"
MODIFIED: Final = 1_700_000_000
BROKEN_AFTER: Final = 3 * 1024 * 1024

_FLASK: Final = """
import sys
from flask import Flask, send_from_directory

app = Flask(__name__)
app.add_url_rule("/<path:name>", view_func=lambda name: send_from_directory(sys.argv[1], name))
app.run(port=int(sys.argv[2]))
"""
_NGINX: Final = """
daemon off;
worker_processes 1;
{user}
pid {scratch}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 100; }}
http {{
    access_log off;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    server {{ listen 127.0.0.1:{port} {tls}; root {directory}; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """The folders, the port and the certificate of a server."""

    directory: Path
    scratch: Path
    port: int
    certificate: tuple[Path, Path]


def _serve(place: Place) -> Sequence[object]:
    return (*COMMAND, "serve", place.directory, "--bind", f"127.0.0.1:{place.port}")


def _http_server(place: Place) -> Sequence[object]:
    return (sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", place.directory, place.port)


def _flask(place: Place) -> Sequence[object]:
    return (sys.executable, "-c", _FLASK, place.directory, place.port)


def _nginx(place: Place, *, tls: str = "") -> Sequence[object]:
    program = need("nginx")
    configuration = place.scratch / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # only the owner may enter the folder of the files
    places = {"scratch": place.scratch, "port": place.port, "directory": place.directory}
    configuration.write_text(_NGINX.format(user=user, tls=tls, **places))
    return (program, "-e", "stderr", "-p", place.scratch, "-c", configuration)


def _nginx_tls(place: Place) -> Sequence[object]:
    certificate, key = place.certificate
    return _nginx(place, tls=f"ssl; ssl_certificate {certificate}; ssl_certificate_key {key}")


SERVERS: Final[Mapping[str, Callable[[Place], Sequence[object]]]] = {
    "serve": _serve,
    "nginx": _nginx,
    "nginx with TLS": _nginx_tls,
    "http.server": _http_server,
    "Flask": _flask,
}


@dataclass(frozen=True, slots=True)
class Site:
    """A running server."""

    name: str
    port: int

    @property
    def ranges(self) -> bool:
        """Whether the server supports ranges."""
        return self.name != "http.server"


@pytest.fixture(scope="module", params=SERVERS)
def site(
    request: pytest.FixtureRequest,
    content: bytes,
    certificate: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Each of the servers, serving a large file."""
    directory, scratch = tmp_path_factory.mktemp("directory"), tmp_path_factory.mktemp("scratch")
    (directory / NAME).write_bytes(content)
    os.utime(directory / NAME, (MODIFIED, MODIFIED))
    with reserved_port() as port:
        command = SERVERS[request.param](Place(directory, scratch, port, certificate))
        with _running(command, port):
            yield Site(request.param, port)


@contextmanager
def _running(command: Sequence[object], port: int) -> Iterator[None]:
    """Run a server for the block, which starts when the server listens."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([*map(str, command)], env=environment(), stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        while not _listens(port):
            assert process.poll() is None, "it ended"
            time.sleep(0.01)  # pytest's clock ends a wait in vain
        yield
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True, slots=True)
class Way:
    """A relay to a server that can break connections."""

    relay: Relay
    url: str


@pytest.fixture
async def way(site: Site, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Way]:
    """A relay to each server. Its certificate is trusted through the environment, as a user would do it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    relay = Relay(server=site.port)
    async with relay.listening() as port:
        scheme = "https" if "TLS" in site.name else "http"
        yield Way(relay, f"{scheme}://127.0.0.1:{port}/large%20file.bin")


async def _fetch(way: Way, path: Path, *, connections: int = 1) -> Result:
    async with Downloader(connections=connections, retries=0) as downloader:
        return await downloader.fetch(way.url, path)


@pytest.mark.parametrize("connections", [1, 4])
async def test_a_file_is_downloaded(way: Way, content: bytes, tmp_path: Path, connections: int) -> None:
    path = tmp_path / "target"
    result = await _fetch(way, path, connections=connections)
    assert path.read_bytes() == content
    assert (result.size, result.resumed_from, result.unchanged) == (len(content), 0, False)
    assert int(path.stat().st_mtime) == MODIFIED
    assert [each.name for each in tmp_path.iterdir()] == ["target"]


@pytest.mark.parametrize("connections", [1, 4])
async def test_a_broken_download_is_resumed(
    site: Site, way: Way, content: bytes, tmp_path: Path, connections: int
) -> None:
    path = tmp_path / "target"
    way.relay.breaks_after = BROKEN_AFTER / connections
    with pytest.raises(NetworkError):
        await _fetch(way, path, connections=connections)
    assert not path.exists()
    way.relay.breaks_after = float("inf")
    result = await _fetch(way, path, connections=connections)
    assert path.read_bytes() == content
    assert (result.resumed_from > 0) is site.ranges
    again = result.resumed_from + result.transferred - len(content)
    assert again == 0 if connections == 1 else 0 <= again < len(content)


@pytest.mark.parametrize("connections", [1, 4])
async def test_a_second_download_finds_the_complete_file(
    way: Way, content: bytes, tmp_path: Path, connections: int
) -> None:
    path = tmp_path / "target"
    await _fetch(way, path, connections=connections)
    inode = path.stat().st_ino
    result = await _fetch(way, path, connections=connections)
    assert (result.unchanged, result.transferred, result.size) == (True, 0, len(content))
    assert (path.read_bytes() == content, path.stat().st_ino) == (True, inode)


async def test_the_command_fetches_resumes_and_knows_when_it_is_complete(
    way: Way, content: bytes, tmp_path: Path
) -> None:
    way.relay.breaks_after = BROKEN_AFTER / 4
    assert await _get(way, tmp_path, "--retries", "0") == 4
    way.relay.breaks_after = float("inf")
    assert await _get(way, tmp_path) == 0
    (path,) = tmp_path.iterdir()
    assert (path.name, path.read_bytes() == content) == (NAME, True)
    before = path.stat()
    assert await _get(way, tmp_path, "-x", "4") == 0
    assert ([*tmp_path.iterdir()], path.stat().st_ino) == ([path], before.st_ino)


async def _get(way: Way, directory: Path, *options: str) -> int:
    """Run the command, and return its exit code."""
    command = (*COMMAND, "get", "--quiet", "-d", str(directory), *options, way.url)
    process = await asyncio.create_subprocess_exec(*command, env=environment())
    return await process.wait()
