"""Failures of a connection: which of them are final, and what their messages say."""

import asyncio
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from harness.scripted import Connection, head, scripted

from async_downloads.client import Downloader, NetworkOptions
from async_downloads.errors import BadStatus, NetworkError, NoSuchHost, RetriesExhausted, TlsError
from client.remote import URL, Fault, Remote, broken, cut

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def after(cause: BaseException, text: str = "All connection attempts failed") -> httpx.ConnectError:
    """Return an error of httpx with `cause` as the first error of its chain."""
    error, between = httpx.ConnectError(text), ConnectionError()
    error.__cause__, between.__context__ = between, cause
    return error


def unresolved(number: int, text: str) -> Fault:
    """Fail as the resolver does for a name without an address."""
    return broken(after(socket.gaierror(number, text), f"[Errno {number}] {text}"))


NO_NAME = unresolved(socket.EAI_NONAME, "Name or service not known")
NO_DATA = unresolved(socket.EAI_NODATA, "No address associated with hostname")
NO_SUCH_FAMILY = unresolved(socket.EAI_ADDRFAMILY, "Address family for hostname not supported")
NOT_NOW = unresolved(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        pytest.param(NO_NAME, r"Name or service not known: example\.com", id="unknown"),
        pytest.param(NO_DATA, r"No address associated with hostname: example\.com", id="without an address"),
        pytest.param(NO_SUCH_FAMILY, r"Address family .* not supported: example\.com", id="of the other IP version"),
        pytest.param(broken(after(UnicodeError("too long"))), r"no host .* this name: example\.com", id="too long"),
    ],
)
async def test_a_name_that_does_not_resolve_is_not_retried(
    one: Downloader, remote: Remote, path: Path, fault: Fault, message: str
) -> None:
    remote.faults = [fault]
    with pytest.raises(NoSuchHost, match=f"^{message}$") as caught:
        await one.fetch(URL, path)
    assert (caught.value.exit_code, len(remote.requests)) == (4, 1)


async def test_a_name_that_resolved_before_is_retried(one: Downloader, remote: Remote, path: Path) -> None:
    remote.faults = [cut(300_000), NO_NAME, NO_NAME]
    await one.fetch(URL, path)
    assert path.read_bytes() == remote.content


async def test_a_stream_does_not_retry_a_name_that_does_not_resolve(one: Downloader, remote: Remote) -> None:
    remote.faults = [NO_NAME]
    with pytest.raises(NoSuchHost):
        async with one.open(URL):
            pytest.fail("opened without a server")
    assert len(remote.requests) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        pytest.param(NOT_NOW, r"Temporary failure in name resolution: example\.com", id="temporary"),
        pytest.param(broken(after(ConnectionRefusedError(111, "x"))), "Connection refused", id="refused"),
        pytest.param(
            broken(httpx.ConnectError("Multiple exceptions: [Errno 111] Refused ('::1', 1), [Errno 101] Unreachable")),
            r"Refused \('::1', 1\), Unreachable",
            id="several addresses",
        ),
        pytest.param(broken(httpx.ConnectTimeout("")), "connecting took too long", id="no response"),
    ],
)
async def test_a_failure_that_may_pass_is_retried(
    one: Downloader, remote: Remote, path: Path, fault: Fault, message: str
) -> None:
    remote.faults = [fault] * 6
    with pytest.raises(RetriesExhausted, match=f"^gave up after 6 tries: {message}$"):
        await one.fetch(URL, path)


async def test_a_name_that_the_system_cannot_resolve_is_final(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", missing)
    async with Downloader() as downloader:
        with pytest.raises(NoSuchHost, match=r"^Name or service not known: missing\.invalid$"):
            await downloader.fetch("http://missing.invalid/a", path)


async def test_the_message_names_the_proxy_that_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        proxy = f"127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("http_proxy", f"http://me:secret@{proxy}")
        async with Downloader(retries=0) as downloader:
            with pytest.raises(NetworkError, match=rf"^Connection refused \(by the proxy {proxy}\)$"):
                await downloader.fetch(URL, path)


async def test_the_message_names_the_proxy_whose_name_has_no_address(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://me:secret@proxy.invalid")
    monkeypatch.setenv("no_proxy", "")
    async with Downloader(retries=0) as downloader:
        with pytest.raises(NetworkError, match=r": proxy\.invalid:80$"):
            await downloader.fetch(URL, path)


@pytest.mark.parametrize("connects", [False, True], ids=["http", "https"])
async def test_a_proxy_that_wants_a_password_is_named(connects: bool, path: Path) -> None:
    async def proxy(connection: Connection) -> None:
        await connection.request()
        await connection.send(head("Content-Length: 0", status="407 Proxy Authentication Required"))

    async with scripted(proxy) as server:
        options = NetworkOptions(proxy=f"127.0.0.1:{server.port}")
        async with Downloader(network=options) as downloader:
            with pytest.raises(BadStatus, match=r"^the proxy responded 407 Proxy Authentication Required$") as caught:
                await downloader.fetch(URL.replace("http:", "https:") if connects else URL, path)
    assert (caught.value.exit_code, len(server.connections)) == (6, 1)


def _not_trusted(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_code = code
    return error


NOISY = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: no (_ssl.c:1020)"
HELP = r" \(--cacert FILE or SSL_CERT_FILE names the certificates to trust\)"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(after(_not_trusted(20), NOISY), f"certificate verify failed: no{HELP}", id="not trusted"),
        pytest.param(after(_not_trusted(10), NOISY), "certificate verify failed: no", id="expired"),
        pytest.param(after(ssl.SSLError(), "[SSL] record layer failure (_ssl.c:9)"), "record layer failure", id="else"),
    ],
)
async def test_the_message_of_a_tls_error_has_the_reason(
    one: Downloader, remote: Remote, path: Path, error: Exception, message: str
) -> None:
    remote.faults = [broken(error)]
    with pytest.raises(TlsError, match=f"^{message}$"):
        await one.fetch(URL, path)


async def test_the_message_for_an_unknown_issuer_says_what_helps(path: Path, certificate: tuple[Path, Path]) -> None:
    async def silent(connection: Connection) -> None:
        await connection.left()

    async with scripted(silent, certificate=certificate) as server, Downloader() as downloader:
        with pytest.raises(TlsError, match=rf"^certificate verify failed: self-signed certificate{HELP}$"):
            await downloader.fetch(server.url, path)


def _refuse_certificate(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Do one TLS handshake that fails, and wait until the client has left, so that it gets the alert."""
    connection, _ = listener.accept()
    with connection.dup() as raw, context.wrap_socket(connection, True, do_handshake_on_connect=False) as secure:
        with suppress(ssl.SSLError):
            secure.do_handshake()
        with suppress(ConnectionError):
            while raw.recv(1024):
                pass


async def test_a_server_that_requires_a_certificate_of_the_client_is_asked_once(
    path: Path, certificate: tuple[Path, Path]
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate[0])
    context.load_cert_chain(*certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = asyncio.create_task(asyncio.to_thread(_refuse_certificate, listener, context))
        async with Downloader(network=NetworkOptions(verify=False)) as downloader:
            with pytest.raises(TlsError, match=r"alert certificate required \(--cert FILE names"):
                await downloader.fetch(f"https://127.0.0.1:{listener.getsockname()[1]}/", path)
        await server


LOST = "the connection was lost"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(httpx.RemoteProtocolError("peer closed connection without sending…"), LOST, id="in the body"),
        pytest.param(httpx.RemoteProtocolError("Server disconnected without…"), LOST, id="before the response"),
        pytest.param(httpx.ReadError(""), LOST, id="without a text"),
        pytest.param(httpx.ProxyError("503 Busy"), "the proxy responded 503 Busy", id="by the proxy"),
    ],
)
async def test_the_message_of_a_lost_connection_is_short(
    remote: Remote, path: Path, error: Exception, message: str
) -> None:
    remote.faults = [broken(error)]
    async with remote.client() as client, Downloader(retries=0, client=client) as downloader:
        with pytest.raises(NetworkError, match=f"^{message}$"):
            await downloader.fetch(URL, path)


async def test_a_connection_that_ends_in_a_body_is_lost(path: Path) -> None:
    async def cuts(connection: Connection) -> None:
        await connection.request()
        await connection.send(head("Content-Length: 9"), b"1234")

    async with scripted(cuts) as server, Downloader(retries=0) as downloader:
        with pytest.raises(NetworkError, match=f"^{LOST}$"):
            await downloader.fetch(server.url, path)
