"""`--access-log` in a process: a reader of the log that is slow, or does not read, delays no client."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from harness.waiting import HANGING, eventually
from tools.command import COMMAND, serving

_REQUESTS = 1_000  # whose lines are more than the pipe takes


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with a file."""
    (tmp_path / "a.txt").write_text("here\n")
    return tmp_path


async def _ask_often(socket: Path) -> int:
    """Return how many responses have status 200."""
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=HANGING) as client:
        return sum([(await client.get("/a.txt")).status_code == 200 for _ in range(_REQUESTS)])


@pytest.mark.parametrize("reader", ["idle", "gone"])
async def test_an_unread_log_delays_neither_responses_nor_the_exit(tree: Path, reader: str) -> None:
    read, write = os.pipe()
    socket = tree / "socket"
    command = [*COMMAND, "serve", str(tree), "-b", f"unix:{socket}", "--access-log", "json"]
    with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, start_new_session=True) as process:
        os.close(write)
        try:
            assert os.read(read, 1000).endswith(b"(press Ctrl-C to stop)\n")
            if reader == "gone":
                os.close(read)
            assert await _ask_often(socket) == _REQUESTS
            process.terminate()
            await eventually(lambda: process.poll() is not None)
        finally:
            if process.poll() is None:
                process.kill()
            if reader == "idle":
                os.close(read)
        assert process.stderr
        said = process.stderr.read()
    assert process.returncode == 0
    assert said.count(b"\n") == (1 if reader == "idle" else 2)
    assert (b"were dropped" if reader == "idle" else b"Broken pipe") in said


async def test_health_and_the_last_responses_are_logged_too(tree: Path) -> None:
    (tree / "large.bin").write_bytes(bytes(24 * 1024 * 1024))
    async with serving(tree, "--access-log", "json", "--drain-delay", "1000") as command:
        async with command.server.downloading("/large.bin"):
            assert command.get("/-/healthy").status_code == 200
            command.send(signal.SIGTERM)
            signalled = time.monotonic()
            await eventually(lambda: command.get("/-/ready").status_code == 503)
            await eventually(lambda: time.monotonic() - signalled > 0.6)  # until then a signal would be the same one
            command.send(signal.SIGTERM)
        assert await command.ended() == 0
        records = [json.loads(line) for line in command.log]
    logged = [(record["target"], record["status"], record["aborted"]) for record in records]
    assert logged[0] == ("/-/healthy", 200, False)
    assert {("/-/ready", 503, False), ("/large.bin", 200, True)} <= set(logged)
