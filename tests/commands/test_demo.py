"""`async-downloads demo`: every line it prints is a command that works."""

import json
import shlex
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from harness.waiting import HANGING
from tools.command import ANY_PORT, Command, running
from tools.programs import run

_MAGIC: dict[str, Callable[[bytes], bool]] = {
    ".png": lambda data: data.startswith(b"\x89PNG\r\n\x1a\n") and data.endswith(b"IEND\xae\x42\x60\x82"),
    ".pdf": lambda data: data.startswith(b"%PDF-") and b"%%EOF" in data[-16:],
    ".csv": lambda data: data.count(b"\r\n") > 10 and data.split(b"\r\n")[0].count(b",") == 2,
    ".wav": lambda data: data[:4] == b"RIFF" and data[8:12] == b"WAVE" and len(data) > 1_000_000,
    ".webm": lambda data: data[:4] == b"\x1a\x45\xdf\xa3" and b"webm" in data[:64] and len(data) > 10_000,
    ".txt": lambda data: data == b"All downloads arrived.\n",
    ".bin": lambda data: len(data) == 10,
}


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Command]:
    """The demo, whose temporary folder is below the test's."""
    async with running("demo", *ANY_PORT, env={"TMPDIR": str(tmp_path)}) as command:
        yield command


def _lines(command: Command) -> list[str]:
    return [line for line in command.stdout.splitlines() if line.startswith("curl ")]


def _fetch(line: str, folder: Path) -> bytes:
    """Run a line as a shell would, in a folder; return what it printed."""
    program, *arguments = shlex.split(line, comments=True)
    return run(program, "-sS", "--fail", *arguments, cwd=folder)


def _check_all(command: Command, folder: Path) -> None:
    printed = [_fetch(line, folder) for line in _lines(command)]
    tree, stored = [json.loads(text) for text in printed if text]
    assert tree["path"] == "/"
    assert [file["name"] for file in stored["files"]] == ["counter.webm", "images/sunrise.png", "invoice.pdf"]
    saved = list(folder.iterdir())
    assert len(saved) == len(printed) - 2
    assert [path.name for path in saved if not _MAGIC[path.suffix](path.read_bytes())] == []


async def test_every_line_it_prints_works(demo: Command, tmp_path: Path) -> None:
    folder = tmp_path / "fetched"
    folder.mkdir()
    _check_all(demo, folder)


async def test_each_route_has_a_line_and_the_line_has_the_whole_url(demo: Command) -> None:
    assert demo.urls[0].startswith("http://127.0.0.1:")
    text = "\n".join(_lines(demo))
    for target in (
        "/",
        "/download",
        "/download/sunrise.png",
        "/download2/nested/sunset.png",
        "/get-image/001.png",
        "/get-image/7",
        "/get-csv/sales",
        "/get-csv/2026/october.csv",
        "/get-pdf/invoice",
        "/get-report/2026/q3/summary.txt",
        "/pdf/send-file",
        "/pdf/response",
        "/pdf/make-response",
        "/files/download/1",
        "/files/download/2",
        "/files/download/3",
        "/files",
    ):
        assert f" {demo.url}{target}  #" in text


async def test_it_prints_where_the_tour_begins(demo: Command) -> None:
    assert f"\nThe tour begins at {demo.url}/tour.html\nServing sample data on " in demo.stdout
    assert "<h1>A tour of async_downloads</h1>" in demo.get("/tour.html").text


@pytest.mark.parametrize("path", ["/README.md", "/tour.html"])
async def test_its_texts_name_the_address_of_the_server(demo: Command, path: str) -> None:
    text = demo.get(path).text
    assert f"-O {demo.url}/large.bin" in text
    assert ":8000" not in text


async def test_its_database_is_not_served_as_a_file(demo: Command) -> None:
    listed = [entry["name"] for entry in demo.get("/?json").json()["entries"]]
    folders = ["code", "csv", "documents", "gallery", "images", "media", "names", "reports"]
    assert listed == [*folders, "large.bin", "README.md", "tour.html"]
    assert demo.get("/.files.db").status_code == 404


async def test_its_large_file_is_64_mib(demo: Command) -> None:
    async with httpx.AsyncClient(base_url=demo.url, timeout=HANGING) as client:
        assert (await client.head("/large.bin")).headers["content-length"] == str(64 * 1024 * 1024)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_its_folder_is_gone_when_it_has_ended(demo: Command, tmp_path: Path, number: signal.Signals) -> None:
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("async-downloads-")]
    demo.send(number)
    assert await demo.ended() == 0
    assert list(tmp_path.iterdir()) == []


async def test_its_lines_work_over_a_unix_socket_and_over_ipv6() -> None:
    with tempfile.TemporaryDirectory() as short:  # the path of a socket has at most 107 bytes
        for bind in (f"unix:{short}/the socket", "[::1]:0"):
            async with running("demo", "-b", bind, env={"TMPDIR": short}) as command:
                with tempfile.TemporaryDirectory() as folder:
                    _check_all(command, Path(folder))
