"""`async-downloads get`: what an interrupted command prints, and which files it leaves."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness.chaos import Chaos, Faults
from harness.scripted import Connection, Script, hangs, head, scripted
from harness.threaded import threaded
from harness.versions import MIB, Version
from harness.waiting import HANGING, eventually
from tools.command import COMMAND, environment
from tools.getting import Get, Origin
from tools.getting import folder as folder  # noqa: PLC0414
from tools.getting import get as get  # noqa: PLC0414

SIZE = 64 * MIB + 7  # half a minute at the rate of these tests, so no download is over too early
VERSION = Version(0, SIZE)
_ADVICE = "async-downloads: interrupted; the same command continues from here\n"
_ANEW = "async-downloads: interrupted; the same command starts from the beginning\n"


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A server of a large file."""
    server = Origin(Chaos(Faults(size=SIZE)))
    with threaded(server.chaos.listening()) as url:
        server.base = url.rpartition("/")[0]
        yield server


@contextmanager
def _begun(
    *arguments: str, until: Callable[[], object] = Path("a.part.json").exists
) -> Iterator[subprocess.Popen[str]]:
    """Get something slowly, until a part of it is saved."""
    command = [*COMMAND, "get", *arguments, "--limit-rate", "2M"]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        try:
            asyncio.run(eventually(until))
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "code"), [pytest.param(signal.SIGINT, 130, id="SIGINT"), pytest.param(signal.SIGTERM, 143, id="SIGTERM")]
)
def test_an_interrupted_download_says_that_it_can_continue_and_does(
    get: Get, origin: Origin, folder: Path, number: signal.Signals, code: int
) -> None:
    with _begun(origin.url("a")) as process:
        process.send_signal(number)
        assert process.wait(timeout=HANGING) == code
        assert process.stderr
        assert process.stderr.read() == _ADVICE
    assert {path.name for path in folder.iterdir()} == {"a.part", "a.part.json"}
    got = get(origin.url("a"), "--json")
    finished = json.loads(got.lines[-1])
    again = finished["resumed_from"] + finished["transferred"] - SIZE
    assert finished["resumed_from"] > 0
    assert 0 <= again < SIZE / 4  # if a segment is split, some bytes may arrive twice
    assert VERSION.difference(folder / "a") is None
    assert {path.name for path in folder.iterdir()} == {"a"}


async def _unversioned(connection: Connection) -> None:
    """Send some bytes without a validator, so that no other bytes can be combined with them."""
    await connection.request()
    await connection.send(head("Content-Length: 1000"), b"begun")
    await connection.left()


@pytest.mark.parametrize("script", [hangs, _unversioned])
def test_without_usable_bytes_it_says_that_it_starts_again(folder: Path, script: Script) -> None:
    def begun() -> bool:
        return bool(server.connections) and (script is hangs or any(each.stat().st_size for each in folder.iterdir()))

    with threaded(scripted(script)) as server, _begun(server.url, "-o", "a", until=begun) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr
        assert process.stderr.read() == _ANEW
    assert not list(folder.iterdir())


def test_with_no_resume_it_says_that_it_starts_again(origin: Origin, folder: Path) -> None:
    with _begun(origin.url("a"), "--no-resume") as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr
        assert process.stderr.read() == _ANEW
    assert {path.name for path in folder.iterdir()} == {"a.part", "a.part.json"}


def test_when_another_file_is_there_it_goes_on(folder: Path) -> None:
    async def one_of_two(connection: Connection) -> None:
        if "GET /a " in await connection.request():
            await connection.send(head("Content-Length: 5", 'ETag: "a"'), b"whole")
        await connection.left()

    with threaded(scripted(one_of_two)) as server:
        urls = (server.url, server.url.replace("resource", "a"))
        with _begun(*urls, until=lambda: server.connections) as process:
            assert process.stderr
            assert process.stderr.readline().startswith("a: 5 bytes in ")
            process.send_signal(signal.SIGINT)
            assert process.stderr.read() == _ADVICE
    assert {path.name for path in folder.iterdir()} == {"a"}


def test_a_signal_sent_twice_is_reported_once(origin: Origin, folder: Path) -> None:
    with _begun(origin.url("a"), "--json") as process:
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=HANGING) == 143
        assert process.stderr
        events = [json.loads(line) for line in process.stderr]
    assert [each["exit_code"] for each in events if each["event"] == "interrupted"] == [143]


def test_with_no_resume_it_starts_again(get: Get, origin: Origin, folder: Path) -> None:
    with _begun(origin.url("a"), "--json") as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr
        last = json.loads(process.stderr.readlines()[-1])
    assert (last["event"], last["exit_code"]) == ("interrupted", 130)
    assert get(origin.url("a"), "--no-resume").code == 0
    assert VERSION.difference(folder / "a") is None


def test_a_second_download_to_the_same_file_is_refused(get: Get, origin: Origin, folder: Path) -> None:
    with _begun(origin.url("a"), "-o", "a"):
        got = get(origin.url("a"), "-o", "a")
    assert got.code == 3
    assert "running" in got.line


def test_neither_quart_nor_what_serves_is_loaded(origin: Origin, folder: Path) -> None:
    program = """
import sys
from async_downloads.cli import main
try:
    main()
except SystemExit as ended:
    print(ended.code, *sys.modules)
"""
    command = [sys.executable, "-c", program, "get", origin.url("a")]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    code, *loaded = ended.stdout.split()
    assert (code, VERSION.difference(folder / "a")) == ("0", None)
    assert not {"quart", "hypercorn", "werkzeug", "jinja2", "asyncpg"} & set(loaded)
    assert {"httpx", "async_downloads.client"} <= set(loaded)
