"""Certificates, addresses and interfaces that the options of a client choose."""

import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.scripted import Connection, head, scripted

from async_downloads.client import Downloader, NetworkOptions
from async_downloads.client.http.tls import tls_context
from async_downloads.client.http.transport import new_client
from async_downloads.errors import FetchError, TlsError


async def _hello(connection: Connection) -> None:
    await connection.request()
    await connection.send(head("Content-Length: 5"), b"hello")


async def test_certificates_of_an_option_are_trusted(certificate: tuple[Path, Path], path: Path) -> None:
    async with scripted(_hello, certificate=certificate) as server:
        async with Downloader(network=NetworkOptions(ca_file=certificate[0])) as downloader:
            await downloader.fetch(server.url, path)
        async with Downloader() as downloader:
            with pytest.raises(TlsError, match="self-signed"):
                await downloader.fetch(server.url, path)


async def test_without_verification_every_certificate_is_accepted(certificate: tuple[Path, Path], path: Path) -> None:
    anything = Downloader(network=NetworkOptions(verify=False))
    async with scripted(_hello, certificate=certificate) as server, anything as downloader:
        await downloader.fetch(server.url, path)
    assert path.read_text() == "hello"


@pytest.mark.parametrize("together", [False, True], ids=["a file for the key", "one file"])
async def test_the_client_shows_its_certificate(
    certificate: tuple[Path, Path], path: Path, tmp_path: Path, together: bool
) -> None:
    seen: list[object] = []

    async def serve(connection: Connection) -> None:
        seen.append(connection.writer.get_extra_info("peercert"))
        await _hello(connection)

    both = tmp_path / "both.pem"
    both.write_bytes(certificate[0].read_bytes() + certificate[1].read_bytes())
    files: dict[str, Any] = (
        {"cert_file": both} if together else {"cert_file": certificate[0], "key_file": certificate[1]}
    )
    options = NetworkOptions(ca_file=certificate[0], **files)
    assert tls_context(options).verify_mode is ssl.CERT_REQUIRED
    async with scripted(serve, certificate=certificate) as server, Downloader(network=options) as downloader:
        await downloader.fetch(server.url, path)
    assert len(seen) == 1


@pytest.mark.parametrize("option", ["ca_file", "cert_file"])
async def test_a_file_that_cannot_be_read_is_named(path: Path, tmp_path: Path, option: str) -> None:
    files: dict[str, Any] = {option: tmp_path / "none.pem"}
    options = NetworkOptions(**files)
    async with Downloader(network=options) as downloader:
        with pytest.raises(TlsError, match=r"cannot be read, .*none\.pem: No such file"):
            await downloader.fetch("https://127.0.0.1:1/", path)


def test_an_encrypted_key_is_refused_without_a_question(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    command = ["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-in", str(certificate[1]), "-out", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(httpx.ConnectError, match="the certificate of this client cannot be read"):
        tls_context(NetworkOptions(cert_file=certificate[0], key_file=key))


def test_the_certificates_of_the_environment_are_all_that_is_trusted(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    assert tls_context(NetworkOptions()).cert_store_stats()["x509_ca"] > 50
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = tls_context(NetworkOptions())
    assert (context.cert_store_stats()["x509"], context.keylog_filename) == (1, str(tmp_path / "keys"))


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("found", [True, False])
async def test_the_certificates_of_the_system_are_found_by_a_python_of_another_one(
    certificate: tuple[Path, Path], path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: bool
) -> None:
    (tmp_path / "damaged.pem").write_text("no certificate")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    nowhere = ssl.DefaultVerifyPaths(None, None, "SSL_CERT_FILE", "/none.pem", "SSL_CERT_DIR", "/none")  # type: ignore[arg-type]
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)
    files = (str(tmp_path / "missing.pem"), str(certificate[0] if found else tmp_path / "damaged.pem"))
    monkeypatch.setattr("async_downloads.client.http.tls._SYSTEM_FILES", files)
    async with scripted(_hello, certificate=certificate) as server, Downloader(retries=0) as downloader:
        if found:
            await downloader.fetch(server.url, path)
        else:
            with pytest.raises(TlsError, match="self-signed"):
                await downloader.fetch(server.url, path)


async def test_the_certificate_of_a_company_without_key_usage_is_trusted(path: Path, tmp_path: Path) -> None:
    ca = ("-subj", "/CN=Root", "-addext", "basicConstraints=CA:TRUE", "-keyout", "ca.key", "-out", "ca.pem")
    _openssl(tmp_path, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *ca)
    _openssl(tmp_path, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "s.key", "-out", "s.csr", "-subj", "/CN=x")
    (tmp_path / "s.ext").write_text("subjectAltName=IP:127.0.0.1")
    issued = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "s.pem", "-extfile", "s.ext")
    _openssl(tmp_path, "x509", "-req", "-in", "s.csr", "-days", "2", *issued)
    options = NetworkOptions(ca_file=tmp_path / "ca.pem")
    issued_files = tmp_path / "s.pem", tmp_path / "s.key"
    async with scripted(_hello, certificate=issued_files) as server, Downloader(network=options) as downloader:
        await downloader.fetch(server.url, path)
    assert path.read_text() == "hello"


async def test_addresses_of_one_family_are_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    families: list[int] = []
    resolve = socket.getaddrinfo

    def noted(*arguments: Any, **options: Any) -> object:
        families.append(options.get("family", 0) or arguments[2])
        return resolve(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    async with scripted(_hello) as server:
        async with Downloader(network=NetworkOptions(ip_version=4), retries=0) as downloader:
            await downloader.fetch(server.url, path)
        async with Downloader(network=NetworkOptions(ip_version=6), retries=0) as downloader:
            with pytest.raises(FetchError):
                await downloader.fetch(server.url, path)
    assert families == [socket.AF_INET, socket.AF_INET6]


@pytest.mark.parametrize("interface", ["127.0.0.1", "127.0.0.9", "lo"])
async def test_connections_begin_at_the_chosen_interface(path: Path, interface: str) -> None:
    peers: list[str] = []

    async def serve(connection: Connection) -> None:
        peers.append(connection.writer.get_extra_info("peername")[0])
        await _hello(connection)

    options = NetworkOptions(interface=interface)
    async with scripted(serve) as server, Downloader(network=options, retries=0) as downloader:
        await downloader.fetch(server.url, path)
    assert peers == [interface if interface != "lo" else "127.0.0.1"]


async def test_the_zone_of_an_address_is_not_sent() -> None:
    async with scripted(_hello) as server, new_client() as client:
        request = client.build_request("GET", server.url, headers={"Host": "[fe80::1%25eth0]:80"})
        assert (await client.send(request)).text == "hello"
        assert "\r\nHost: [fe80::1]:80\r\n" in server.connections[0].requests[0]


@pytest.mark.parametrize("zone", ["%25eth0", "%eth0"])
async def test_the_zone_of_an_address_is_resolved(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def noted(host: object, *_: object, **__: object) -> object:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "none")

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    async with new_client() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://[fe80::1{zone}]/")
    assert asked == ["fe80::1%eth0"]
