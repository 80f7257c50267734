"""HTTPS in the benchmark: all servers use one kind of key, and a server that is left out has a reason."""

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from harness.waiting import HANGING
from tools.programs import need, run

from benchmarks.certificate import certify
from benchmarks.load.h2load import CIPHER, requests
from benchmarks.process import Cores, Running
from benchmarks.run import execute, prepare
from benchmarks.scenarios import SCENARIOS
from benchmarks.scenarios.base import Bench
from benchmarks.servers import SERVERS
from benchmarks.servers.base import Server, Site
from benchmarks.settings import MIB, QUICK, BenchmarkError
from benchmarks.tree import Tree

FITTING = [server for server in SERVERS.values() if "tls" in server.scenarios]


class Nameless(BaseHTTPRequestHandler):
    """Sends responses without a reason phrase, as Hypercorn does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send a response."""
        self.wfile.write(b"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Quiet(ThreadingHTTPServer):
    """Prints no error when a client closes its connection."""

    def handle_error(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    need("openssl")
    site = Site(tmp_path, 0, tmp_path, secure=True)
    certify(site)
    return site


@pytest.fixture
def port(site: Site) -> Iterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(site.certificate, site.key)
    context.set_alpn_protocols(["http/1.1"])
    with Quiet(("127.0.0.1", 0), Nameless) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_the_key_is_on_p_256(site: Site) -> None:
    assert b"prime256v1" in run("openssl", "x509", "-in", site.certificate, "-noout", "-text")


def test_the_key_is_in_pkcs_8(site: Site) -> None:
    assert site.key.read_text().startswith("-----BEGIN PRIVATE KEY-----")


def test_a_client_that_trusts_the_certificate_connects(site: Site, port: int) -> None:
    trust = ssl.create_default_context(cafile=site.certificate)
    plain = socket.create_connection(("127.0.0.1", port), timeout=HANGING)
    with trust.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
        assert secure.version() == "TLSv1.3"


def test_a_missing_openssl_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchmarkError, match="openssl"):
        certify(Site(tmp_path, 0, tmp_path, secure=True))


def test_h2load_counts_every_response_and_reports_protocol_and_cipher(port: int) -> None:
    need("h2load")
    found = requests(f"https://127.0.0.1:{port}/", "tls", connections=2, streams=1, count=10, limit=HANGING)
    assert (len(found.latencies), found.errors, found.received) == (10, 0, 50)
    assert found.agreed == f"TLSv1.3, {CIPHER}, http/1.1"


@pytest.mark.parametrize("server", FITTING, ids=[server.name for server in FITTING])
def test_a_server_gets_the_certificate_or_lacks_tls(server: Server, tmp_path: Path) -> None:
    site = Site(tmp_path, 1, tmp_path, secure=True)
    command = server.command(site)
    written = [path.read_text() for path in tmp_path.iterdir()]  # nginx's configuration
    given = all(any(str(file) in word for word in (*command, *written)) for file in (site.certificate, site.key))
    assert given is ("tls" not in server.lacks)


def test_a_server_without_tls_has_a_sample_with_the_reason(tmp_path: Path) -> None:
    settings, scenario, server = replace(QUICK, large_size=MIB), SCENARIOS["tls"], SERVERS["flask-waitress"]
    result = prepare(settings, [scenario], [server], "a test")
    result.servers[server.name]["missing"] = None
    execute(result, settings, [scenario], [server], tmp_path)
    assert [(each.server, each.note) for each in result.samples] == [(server.name, "waitress has no TLS")]


def test_without_h2load_every_case_has_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bench = Bench(Running(0, 0, tmp_path), Tree(tmp_path, 0, (), 0), QUICK, Cores(0, 0, 0))
    assert {each.note for each in SCENARIOS["tls"].measure(bench)} == {"h2load is not installed"}


def test_each_crowd_gets_its_own_server() -> None:
    parts = SCENARIOS["slow"].parts(replace(QUICK, slow_clients=(1, 2)))
    assert [part.slow_clients for part in parts] == [(1,), (2,)]


def test_the_descriptor_limit_is_raised_as_far_as_possible() -> None:
    program = (
        "import resource as r; most = r.getrlimit(r.RLIMIT_NOFILE)[1]; r.setrlimit(r.RLIMIT_NOFILE, (64, most))\n"
        "from benchmarks.process import raise_descriptor_limit as go; go()\n"
        "assert r.getrlimit(r.RLIMIT_NOFILE)[0] >= min(most, 65536)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=HANGING)
