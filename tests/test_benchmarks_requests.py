"""The requests of the scenarios: short ranges, new connections, listings, and servers without descriptors."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tools.command import COMMAND
from tools.programs import need

from benchmarks.load.exchange import exchange
from benchmarks.load.messages import request
from benchmarks.load.wrk import wrk
from benchmarks.results import Sample
from benchmarks.run import execute, prepare
from benchmarks.scenarios import SCENARIOS
from benchmarks.scenarios.small import CASES
from benchmarks.servers import SERVERS
from benchmarks.servers.base import PYTHON, Server, Site
from benchmarks.servers.ours import BEFORE
from benchmarks.settings import MIB, QUICK, Settings

SERVE = SERVERS["serve-asyncio"]
SHORT = replace(QUICK, large_size=MIB, window=0.1, warmup=0.01, slow_window=0.2, settle=0.1, listed=(20,))


class Recorder(ThreadingHTTPServer):
    """Counts connections, and records the Range field of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hello)
        self.connections = 0
        self.ranges: set[str | None] = set()

    def get_request(self) -> Any:
        """Accept a connection."""
        self.connections += 1
        return super().get_request()


class Hello(BaseHTTPRequestHandler):
    """Sends the same body to every client."""

    protocol_version = "HTTP/1.1"
    server: Recorder

    def do_GET(self) -> None:
        """Send the response and keep the connection open."""
        self.server.ranges.add(self.headers["Range"])
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def _measured(scenario: str, server: Server, settings: Settings, folder: Path) -> list[Sample]:
    run = prepare(settings, [SCENARIOS[scenario]], [server], "a test")
    execute(run, settings, [SCENARIOS[scenario]], [server], folder)
    assert [each.error for each in run.samples] == [""] * len(run.samples)
    return run.samples


@pytest.mark.parametrize("fresh", [True, False])
def test_each_request_has_a_new_connection_if_that_is_asked_for(fresh: bool, recorder: Recorder) -> None:
    messages = [request("hello")]
    found = exchange(recorder.server_port, messages, status=200, connections=2, seconds=0.2, limit=5, fresh=fresh)
    assert (found.requests > 2, found.errors) == (True, 0)
    assert recorder.connections >= found.requests if fresh else recorder.connections == 2


def test_wrk_sends_the_messages_in_turn(recorder: Recorder) -> None:
    need("wrk")
    ranges = ["bytes=0-1", "bytes=2-3", "bytes=4-4"]
    messages = [request("hello", range=each) for each in ranges]
    found = wrk(recorder.server_port, "hello", connections=2, seconds=1, messages=messages)
    assert (found["requests"] > 3, found["errors"]) == (True, 0)
    assert recorder.ranges == set(ranges)


def test_the_ranges_lie_within_the_file() -> None:
    [case] = [case for case in CASES if case.ranges]
    for each in case.ranges:
        first, last = map(int, each.removeprefix("bytes=").split("-"))
        assert 0 <= first <= last < MIB
        assert last - first + 1 == case.length


def test_a_server_that_ignores_ranges_gets_a_note(tmp_path: Path) -> None:
    script = (
        "import sys; from http.server import *; SimpleHTTPRequestHandler.protocol_version = 'HTTP/1.1'; "
        "from functools import partial; handler = partial(SimpleHTTPRequestHandler, directory=sys.argv[1]); "
        "ThreadingHTTPServer(('127.0.0.1', int(sys.argv[2])), handler).serve_forever()"
    )
    ignorant = replace(SERVE, command=lambda site: [PYTHON, "-c", script, str(site.directory), str(site.port)])
    notes = {each.case: each.note for each in _measured("small", ignorant, SHORT, tmp_path)}
    assert notes == {"1k": "", "64k": "", "1m": "", "10 KB of 1m": f"status 200 with Content-Length {MIB}"}


def test_a_listing_is_measured_with_a_probe(tmp_path: Path) -> None:
    need("wrk")
    [sample] = _measured("listing", SERVE, SHORT, tmp_path)
    assert (sample.case, sample.note) == ("entries=20", "")
    assert (sample.metrics["requests_per_s"] or 0) > 0
    assert sample.metrics.keys() >= set(SCENARIOS["listing"].columns)


def test_a_server_at_its_descriptor_limit_gets_no_figures(tmp_path: Path) -> None:
    limited = replace(SERVE, command=lambda site: ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *SERVE.command(site)])
    [sample] = _measured("slow", limited, replace(SHORT, slow_clients=(100,)), tmp_path)
    assert (sample.metrics, sample.note) == ({}, "needs more than 64 descriptors, the limit here")


def test_an_earlier_version_is_the_command_of_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = SERVERS["serve-before"]
    monkeypatch.delenv(BEFORE, raising=False)
    assert before.missing() == f"{BEFORE} does not name the command of an earlier version"
    monkeypatch.setenv(BEFORE, str(tmp_path / "absent"))
    assert before.missing() == f"{BEFORE}: {tmp_path / 'absent'} is not a file"
    monkeypatch.setenv(BEFORE, COMMAND[0])
    assert before.missing() is None
    assert before.versions().startswith("async-downloads")
    # PYTHONPATH has this checkout, which would be imported in place of the earlier version.
    assert before.command(Site(tmp_path, 1, tmp_path))[:4] == ["env", "-u", "PYTHONPATH", COMMAND[0]]
