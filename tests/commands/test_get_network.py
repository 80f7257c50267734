"""`get`: the options that say how servers are reached."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.scripted import Connection, Script, Scripted, head, scripted
from harness.threaded import threaded
from tools.getting import Get
from tools.getting import folder as folder  # noqa: PLC0414
from tools.getting import get as get  # noqa: PLC0414

BASIC = f"authorization: basic {base64.b64encode(b'me:hidden').decode()}".lower()
UNREACHABLE = "http://127.0.0.1:9"


async def sends(connection: Connection) -> None:
    """Respond to each request with four bytes."""
    while await connection.request():
        await connection.send(head("Content-Length: 4"), b"here")


def wants(line: str) -> Script:
    """Respond with four bytes to a request that has this line, and with 401 to any other."""

    async def script(connection: Connection) -> None:
        while request := await connection.request():
            allowed = line.lower() in request.lower().split("\r\n")
            status = "200 OK" if allowed else "401 Unauthorized"
            await connection.send(head("Content-Length: 4", status=status), b"here")

    return script


@pytest.fixture
def https(certificate: tuple[Path, Path]) -> Iterator[Scripted]:
    """A server of https whose certificate is not trusted."""
    with threaded(scripted(sends, certificate=certificate)) as server:
        yield server


def test_a_password_of_netrc_is_used(get: Get, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".netrc").write_text("machine 127.0.0.1 login me password hidden\n")
    (folder / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("NETRC", raising=False)
    with threaded(scripted(wants(BASIC))) as server:
        assert get(server.url, "--no-netrc").code == 6
        assert get(server.url, "-n", "-o", "a").code == 0
        assert get(server.url, "-o", "b").code == 0
    assert (folder / "b").read_text() == "here"


def test_cookies_come_from_a_file(get: Get, folder: Path) -> None:
    (folder / "cookies.txt").write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tkey\tvalue\n")
    with threaded(scripted(wants("Cookie: key=value"))) as server:
        assert get(server.url, "-o", "a").code == 6
        assert get(server.url, "-o", "a", "--cookies", "cookies.txt").code == 0


def test_requests_go_through_the_proxy(get: Get, folder: Path) -> None:
    with threaded(scripted(sends)) as proxy:
        assert get("http://example.invalid/a", "--proxy", f"http://127.0.0.1:{proxy.port}").code == 0
        assert proxy.connections[0].requests[0].startswith("GET http://example.invalid/a HTTP/1.1\r\n")


def test_the_proxy_of_the_environment_can_be_switched_off(
    get: Get, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", UNREACHABLE)
    with threaded(scripted(sends)) as server:
        assert get(server.url, "-o", "a", "--retries", "0").code == 4
        assert get(server.url, "-o", "a", "--no-proxy").code == 0


@pytest.mark.parametrize("option", [("-k",), ("--insecure",)])
def test_a_certificate_that_is_not_trusted_can_be_accepted(
    get: Get, folder: Path, https: Scripted, option: tuple[str, ...]
) -> None:
    assert get(https.url, "-o", "a").code == 5
    assert get(https.url, "-o", "a", *option).code == 0


def test_certificates_to_trust_come_from_a_file(
    get: Get, folder: Path, https: Scripted, certificate: tuple[Path, Path]
) -> None:
    assert get(https.url, "-o", "a", "--cacert", certificate[0]).code == 0


def test_a_client_certificate_is_read(get: Get, folder: Path, https: Scripted, certificate: tuple[Path, Path]) -> None:
    public, private = certificate
    assert get(https.url, "-o", "a", "-k", "--cert", public, "--key", private).code == 0


@pytest.mark.parametrize(("options", "code"), [(("-4",), 0), (("-6",), 4), (("--interface", "127.0.0.1"), 0)])
def test_the_kind_of_address_can_be_chosen(get: Get, folder: Path, options: tuple[str, ...], code: int) -> None:
    with threaded(scripted(sends)) as server:
        assert get(server.url, "-o", "a", "--retries", "0", *options).code == code


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-x", "http://proxy:3128"], "-x is the number of connections: use --proxy URL to name a proxy"),
        (["--proxy", UNREACHABLE, "--no-proxy"], "--proxy and --no-proxy contradict each other"),
        (["--key", "key.pem"], "--key needs --cert"),
        (["-4", "-6"], "-4 and -6 contradict each other: give only one of them"),
        (["--interface", "nope0"], "no network interface has the name or the address 'nope0': 'ip address' lists them"),
        (["--interface", "192.0.2.1"], "no network interface has the name or the address '192.0.2.1'"),
        (["--interface", "127.0.0.1", "-6"], "connections over IPv6 cannot begin at 127.0.0.1, an address of IPv4"),
        (["--cacert", "missing"], "File 'missing' does not exist"),
    ],
)
def test_what_cannot_be_is_refused(get: Get, folder: Path, options: list[str], message: str) -> None:
    (folder / "key.pem").touch()
    got = get("http://127.0.0.1:9/a", *options)
    assert got.code == 2
    assert message in got.line
