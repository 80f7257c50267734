"""`--metrics-bind` in a process: workers that are added up, scrapers that do not read, and all versions of HTTP."""

import os
import re
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from harness.process import is_stopped
from harness.waiting import HANGING, eventually
from prometheus_client.parser import text_string_to_metric_families
from tools.command import Command, refusal, running, serving

_ADDRESS = re.compile(r"metrics are at (http://127\.0\.0\.1:\d+/metrics)\n")
_METRICS = ("--metrics-bind", "0")
APP = """
async def app(scope, receive, send):
    assert scope["path"] != "/broken"
    await send({"type": "http.response.start", "status": 207, "headers": []})
    await send({"type": "http.response.body", "body": b"four"})
"""


def _scraped(command: Command) -> dict[str, float]:
    """Return the metrics by their names and labels, without the prefix."""
    address = _ADDRESS.search(command.stderr)
    assert address
    families = text_string_to_metric_families(httpx.get(address[1], timeout=HANGING).text)
    samples = [sample for family in families for sample in family.samples]
    return {
        " ".join((each.name.removeprefix("async_downloads_"), *each.labels.values())): each.value for each in samples
    }


def _is(command: Command, name: str, value: float) -> bool:
    return _scraped(command).get(name) == value


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with a file that is sent at once, and one that a client must read for long."""
    (tmp_path / "a.txt").write_bytes(b"here\n")
    (tmp_path / "large.bin").write_bytes(bytes(32 * 1024 * 1024))
    return tmp_path


@pytest.fixture
async def command(tree: Path) -> AsyncIterator[Command]:
    """Two workers with metrics."""
    async with serving(tree, "-w", "2", *_METRICS) as command:
        await eventually(partial(_is, command, "workers", 2))
        yield command


async def test_workers_are_added_up_and_a_dead_one_stays_counted(command: Command) -> None:
    for silent in command.children:  # so that each one responds to half of the requests
        os.kill(silent, signal.SIGSTOP)
        await eventually(partial(is_stopped, silent))
        assert [command.get("/a.txt").status_code for _ in range(3)] == [200] * 3
        os.kill(silent, signal.SIGCONT)
    assert command.get("/nothing").status_code == 404
    await eventually(partial(_is, command, "request_seconds_count", 7))
    before = _scraped(command)
    assert (before["requests_total GET 200"], before["requests_total GET 404"]) == (6, 1)
    assert before["response_bytes_total"] >= 30
    assert before["source_seconds_count file"] >= 2
    victim, _ = command.children
    os.kill(victim, signal.SIGKILL)
    await eventually(lambda: len(set(command.children) - {victim}) == 2)
    await eventually(partial(_is, command, "workers", 2))
    assert _scraped(command)["requests_total GET 200"] == 6


async def test_running_and_broken_off_downloads_are_seen(command: Command) -> None:
    async with command.server.downloading("/large.bin"):
        await eventually(partial(_is, command, "requests_in_flight", 1))
        assert _scraped(command)["connections"] == 1
    await eventually(partial(_is, command, "aborted_total client", 1))
    await eventually(partial(_is, command, "requests_in_flight", 0))
    assert 0 < _scraped(command)["response_bytes_total"] < 32 * 1024 * 1024


async def test_scrapers_that_do_not_read_delay_nothing(command: Command) -> None:
    address = _ADDRESS.search(command.stderr)
    assert address
    url = httpx.URL(address[1])
    assert url.port
    idle = [socket.create_connection((url.host, url.port)) for _ in range(20)]
    try:
        for scraper in idle[::2]:
            scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
        assert command.get("/a.txt").content == b"here\n"
        await eventually(partial(_is, command, "requests_total GET 200", 1))
        assert _scraped(command)["request_seconds_count"] == 1  # scrapes are not counted
        command.process.terminate()
        assert await command.ended() == 0
    finally:
        for scraper in idle:
            scraper.close()


async def test_http2_and_any_app_are_counted(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    (tmp_path / "api.py").write_text(APP)
    options = ("--certfile", certificate[0], "--keyfile", certificate[1], "--http2", "-b", "127.0.0.1:0")
    async with running("run", "api:app", *options, *_METRICS, cwd=tmp_path) as command:
        trusted = ssl.create_default_context(cafile=str(certificate[0]))
        for http2 in (True, False):
            async with httpx.AsyncClient(verify=trusted, http2=http2, timeout=HANGING) as client:
                assert (await client.get(command.url + "/")).http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        await eventually(partial(_is, command, "requests_total GET 207", 2))
        assert _scraped(command)["response_bytes_total"] == 8


def test_an_address_in_use_is_one_line(tree: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}: " in refusal("serve", tree, "-p0", "--metrics-bind", port)
