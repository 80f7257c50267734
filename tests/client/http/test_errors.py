"""Failures of a connection: which of them are final, and what is told of them."""

import socket
import ssl
from pathlib import Path

import httpx
import pytest
from harness.scripted import Connection, head, scripted
from test_servers import certificate as certificate  # noqa: PLC0414

from async_downloads.client import Downloader, FetchError
from async_downloads.errors import NetworkError, NoSuchHost, RetriesExhausted, TlsError
from client.remote import URL, Fault, Remote, broken, cut

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def after(cause: BaseException, text: str = "All connection attempts failed") -> httpx.ConnectError:
    """Return an error of httpx as one deep inside leads to it."""
    error, between = httpx.ConnectError(text), ConnectionError()
    error.__cause__, between.__context__ = between, cause
    return error


def unresolved(number: int, text: str) -> Fault:
    """Fail as a name does that has no address."""
    return broken(after(socket.gaierror(number, text), f"[Errno {number}] {text}"))


NO_NAME = unresolved(socket.EAI_NONAME, "Name or service not known")
NO_DATA = unresolved(socket.EAI_NODATA, "No address associated with hostname")
NOT_NOW = unresolved(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        pytest.param(NO_NAME, r"Name or service not known: example\.com", id="unknown"),
        pytest.param(NO_DATA, r"No address associated with hostname: example\.com", id="without an address"),
        pytest.param(broken(after(UnicodeError("too long"))), r"no host .* this name: example\.com", id="too long"),
    ],
)
async def test_a_name_that_no_host_has_is_not_tried_again(
    one: Downloader, remote: Remote, path: Path, fault: Fault, told: str
) -> None:
    remote.faults = [fault]
    with pytest.raises(NoSuchHost, match=f"^{told}$") as caught:
        await one.fetch(URL, path)
    assert (caught.value.exit_code, len(remote.requests)) == (4, 1)


async def test_unless_it_had_one_before(one: Downloader, remote: Remote, path: Path) -> None:
    remote.faults = [cut(300_000), NO_NAME, NO_NAME]
    await one.fetch(URL, path)
    assert path.read_bytes() == remote.content


async def test_a_stream_does_not_try_such_a_name_again_either(one: Downloader, remote: Remote) -> None:
    remote.faults = [NO_NAME]
    with pytest.raises(NoSuchHost):
        async with one.open(URL):
            pytest.fail("there is nothing to read")
    assert len(remote.requests) == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        pytest.param(NOT_NOW, r"Temporary failure in name resolution: example\.com", id="no name for now"),
        pytest.param(broken(after(ConnectionRefusedError(111, "x"))), "Connection refused", id="refused"),
        pytest.param(broken(httpx.ConnectTimeout("")), "no connection within the time for it", id="no answer"),
    ],
)
async def test_what_may_pass_is_tried_again(
    one: Downloader, remote: Remote, path: Path, fault: Fault, told: str
) -> None:
    remote.faults = [fault] * 6
    with pytest.raises(RetriesExhausted, match=f"^gave up after 6 tries: {told}$"):
        await one.fetch(URL, path)


async def test_the_system_s_word_on_a_name_is_final_on_a_real_connection(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    async with Downloader() as downloader:
        with pytest.raises(NoSuchHost, match=r"^Name or service not known: nobody\.invalid$"):
            await downloader.fetch("http://nobody.invalid/a", path)


@pytest.mark.parametrize("fault", [NO_NAME, NOT_NOW, broken(httpx.ConnectError("refused"))])
async def test_a_proxy_of_the_environment_is_told_of(
    one: Downloader, remote: Remote, path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", "http://me:secret@proxy.invalid:3128")
    remote.faults = [fault] * 6
    with pytest.raises(FetchError, match=r"\(the environment names a proxy for it\)$"):
        await one.fetch(URL, path)


def _not_trusted(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_code = code
    return error


NOISY = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: no (_ssl.c:1020)"
HELP = r" \(SSL_CERT_FILE can name the certificates to trust\)"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(after(_not_trusted(20), NOISY), f"certificate verify failed: no{HELP}", id="not trusted"),
        pytest.param(after(_not_trusted(10), NOISY), "certificate verify failed: no", id="expired"),
        pytest.param(after(ssl.SSLError(), "[SSL] record layer failure (_ssl.c:9)"), "record layer failure", id="else"),
    ],
)
async def test_of_tls_the_reason_is_told(
    one: Downloader, remote: Remote, path: Path, error: Exception, told: str
) -> None:
    remote.faults = [broken(error)]
    with pytest.raises(TlsError, match=f"^{told}$"):
        await one.fetch(URL, path)


async def test_a_certificate_of_nobody_is_told_with_what_helps(path: Path, certificate: tuple[Path, Path]) -> None:
    async def silent(connection: Connection) -> None:
        await connection.left()

    async with scripted(silent, certificate=certificate) as server, Downloader() as downloader:
        with pytest.raises(TlsError, match=rf"^certificate verify failed: self-signed certificate{HELP}$"):
            await downloader.fetch(server.url, path)


LOST = "the connection was lost"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(httpx.RemoteProtocolError("peer closed connection without sending…"), LOST, id="in the body"),
        pytest.param(httpx.RemoteProtocolError("Server disconnected without…"), LOST, id="before the answer"),
        pytest.param(httpx.ReadError(""), LOST, id="nobody says how"),
        pytest.param(httpx.ProxyError("403 Forbidden"), "the proxy says: 403 Forbidden", id="by the proxy"),
    ],
)
async def test_what_is_lost_is_told_shortly(remote: Remote, path: Path, error: Exception, told: str) -> None:
    remote.faults = [broken(error)]
    async with remote.client() as client, Downloader(retries=0, client=client) as downloader:
        with pytest.raises(NetworkError, match=f"^{told}$"):
            await downloader.fetch(URL, path)


async def test_a_connection_that_is_cut_is_lost(path: Path) -> None:
    async def cuts(connection: Connection) -> None:
        await connection.request()
        await connection.send(head("Content-Length: 9"), b"1234")

    async with scripted(cuts) as server, Downloader(retries=0) as downloader:
        with pytest.raises(NetworkError, match=f"^{LOST}$"):
            await downloader.fetch(server.url, path)
