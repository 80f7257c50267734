"""Outputs that take nothing: a full disk, a reader that has left, a pipe that nobody reads, a name in no encoding."""

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.ports import reserved_port
from harness.waiting import HANGING, eventually
from tools.command import COMMAND, environment, serving


def _ran(arguments: Sequence[str], **outputs: Any) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **outputs}
    return subprocess.run(
        [*COMMAND, *arguments], **given, text=True, env=environment(None), timeout=HANGING, check=False
    )


@pytest.mark.parametrize("arguments", [("serve", "--help")])
def test_an_output_that_is_full_is_an_error_of_one_line(arguments: Sequence[str]) -> None:
    with open("/dev/full", "w") as full:
        ended = _ran(arguments, stdout=full)
    line = "async-downloads: cannot write to standard output: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (1, line)


def test_a_mistake_has_its_exit_code_also_if_it_cannot_be_printed() -> None:
    with open("/dev/full", "w") as full:
        assert _ran(("fly",), stderr=full).returncode == 2


def _full_pipe() -> int:
    """Return the write end of a pipe that takes nothing more; nothing reads it."""
    _, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with suppress(BlockingIOError):
        while os.write(write_end, bytes(4096)):
            pass
    os.set_blocking(write_end, True)
    return write_end


def _pipe_without_a_reader() -> int:
    read_end, write_end = os.pipe()
    os.close(read_end)
    return write_end


@pytest.mark.parametrize(
    ("command", "output"),
    [("serve", "full disk"), ("serve", "full pipe"), ("serve", "pipe without a reader"), ("demo", "full disk")],
)
async def test_a_server_starts_also_if_it_cannot_announce_its_address(
    tmp_path: Path, command: str, output: str
) -> None:
    (tmp_path / "index.html").write_text("found")
    opened = {"full disk": lambda: os.open("/dev/full", os.O_WRONLY), "full pipe": _full_pipe}
    full = opened.get(output, _pipe_without_a_reader)()
    with reserved_port() as port:
        bind = ("--bind", f"127.0.0.1:{port}")
        process = subprocess.Popen([*COMMAND, command, *bind], stdout=full, cwd=tmp_path, env=environment(None))
        try:
            await eventually(lambda: _accepts(port), within=HANGING)
            assert httpx.get(f"http://127.0.0.1:{port}/", timeout=HANGING).status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(HANGING) == 0
        finally:
            process.kill()
            process.wait()
            os.close(full)


def _accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


async def test_a_folder_whose_name_is_in_no_encoding_is_announced(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    async with serving(folder, env={"PYTHONIOENCODING": "utf-8:strict"}) as command:
        assert "caf\\udce9" in command.stdout
