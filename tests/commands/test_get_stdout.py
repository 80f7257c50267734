"""`async-downloads get -o -`: the reader of standard output reads, is slow, or closes it."""

import gzip
import hashlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.scripted import Connection, hangs, head, scripted
from harness.threaded import threaded
from harness.waiting import HANGING
from tools.command import COMMAND, environment
from tools.getting import SIZE, VERSION, Get, Origin
from tools.getting import folder as folder  # noqa: PLC0414
from tools.getting import get as get  # noqa: PLC0414
from tools.getting import origin as origin  # noqa: PLC0414

SHA512 = f"sha512:{hashlib.sha512(VERSION.read(0, SIZE)).hexdigest()}"


@pytest.fixture
def streaming(origin: Origin, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command while it writes to a pipe that takes only a part of the file."""
    pipe = subprocess.PIPE
    command = [*COMMAND, "get", origin.url("a"), "-o", "-"]
    with subprocess.Popen(command, env=environment(), stdout=pipe, stderr=pipe, start_new_session=True) as process:
        try:
            assert process.stdout
            assert process.stdout.read(5) == VERSION.read(0, 5)
            yield process
        finally:
            process.kill()


def test_all_of_it_is_written_and_nothing_saved(get: Get, origin: Origin, folder: Path) -> None:
    got = get(origin.url("a"), "-o", "-", "--checksum", SHA512)
    assert (got.code, got.stdout) == (0, VERSION.read(0, SIZE))
    assert got.line.startswith("standard output: 3.1 MB in ")
    assert got.line.endswith(", sha512 verified")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("options", ["-qO-", "-q -O-", "-q -O -", "-sLO -"])
def test_the_options_of_wget_for_standard_output_are_known(
    get: Get, origin: Origin, folder: Path, options: str
) -> None:
    got = get(*options.split(), origin.url("a"))
    assert (got.code, got.stdout, got.lines) == (0, VERSION.read(0, SIZE), [])
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("options", "code", "written"), [((), 0, b"<html>"), (("--strict",), 7, b"")])
def test_a_page_in_place_of_a_file_is_a_warning_or_with_strict_an_error(
    get: Get, folder: Path, options: tuple[str, ...], code: int, written: bytes
) -> None:
    async def page(connection: Connection) -> None:
        await connection.request()
        await connection.send(head("Content-Type: text/html", "Content-Length: 6"), b"<html>")

    with threaded(scripted(page)) as server:
        got = get(f"http://127.0.0.1:{server.port}/data.zip", "-o", "-", *options)
    assert (got.code, got.stdout) == (code, written)
    assert "the server sent an HTML page for data.zip" in got.lines[-1]


def test_a_wrong_digest_is_reported_at_the_end(get: Get, origin: Origin) -> None:
    got = get(origin.url("a"), "-o", "-", "--checksum", f"sha512:{'0' * 128}")
    assert (got.code, got.stdout) == (9, VERSION.read(0, SIZE))
    assert SHA512 in got.line


def test_nothing_is_written_of_an_error(get: Get, origin: Origin) -> None:
    got = get(origin.url("404"), "-o", "-")
    assert (got.code, got.stdout) == (8, b"")
    assert got.line == f"async-downloads: {origin.url('404')}: the server responded 404 Not Found: no"


def test_it_ends_with_4_when_it_takes_too_long(get: Get) -> None:
    with threaded(scripted(hangs)) as server:
        got = get(server.url, "-o", "-", "--timeout", "0.05")
    assert (got.code, got.stdout) == (4, b"")
    assert got.line == f"async-downloads: {server.url}: the download took longer than 0.05 s"


def test_a_reader_that_leaves_ends_it_without_a_word(streaming: subprocess.Popen[bytes]) -> None:
    assert streaming.stdout
    assert streaming.stderr
    streaming.stdout.close()
    assert streaming.wait(timeout=HANGING) == 128 + signal.SIGPIPE
    assert streaming.stderr.read() == b""


def test_a_reader_that_reads_nothing_cannot_prevent_the_exit(streaming: subprocess.Popen[bytes]) -> None:
    assert streaming.stderr
    streaming.send_signal(signal.SIGINT)
    assert streaming.wait(timeout=HANGING) == 130
    assert streaming.stderr.read() == b"async-downloads: interrupted\n"


def test_a_full_disk_behind_it_ends_it_with_3(origin: Origin) -> None:
    with open("/dev/full", "wb") as full:
        command = [*COMMAND, "get", origin.url("a"), "-o", "-"]
        ended = subprocess.run(command, env=environment(), stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 3
    message = f"async-downloads: {origin.url('a')}: cannot write to standard output: No space left on device\n"
    assert ended.stderr.decode() == message


def test_a_closed_one_is_refused(origin: Origin) -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "get", origin.url("a"), "-o", "-"]
    ended = subprocess.run(command, env=environment(), stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (2, b"async-downloads: standard output is closed\n")
    assert origin.requests == []


PLAIN = b"a line\n" * 1000
CODED = gzip.compress(PLAIN)


async def _coded(connection: Connection) -> None:
    while True:
        await connection.request()
        fields = ("Content-Encoding: gzip", f"Content-Length: {len(CODED)}", "Content-Type: text/plain")
        await connection.send(head(*fields), CODED)


@pytest.mark.parametrize("expected", [PLAIN, CODED], ids=["plain", "coded"])
def test_the_checksum_says_whether_a_content_coding_is_taken_off(get: Get, folder: Path, expected: bytes) -> None:
    with threaded(scripted(_coded)) as server:
        got = get(server.url, "-o", "-", "--checksum", f"sha256:{hashlib.sha256(expected).hexdigest()}")
    assert (got.code, got.stdout) == (0, expected)
    assert got.line.startswith("standard output: ")
    assert list(folder.iterdir()) == []


def test_nothing_is_written_of_a_coded_body_with_a_wrong_digest(get: Get) -> None:
    with threaded(scripted(_coded)) as server:
        got = get(server.url, "-o", "-", "--checksum", f"sha256:{'0' * 64}")
    assert (got.code, got.stdout) == (9, b"")


def test_without_a_checksum_a_content_coding_is_taken_off(get: Get) -> None:
    with threaded(scripted(_coded)) as server:
        assert get(server.url, "-o", "-").stdout == PLAIN
