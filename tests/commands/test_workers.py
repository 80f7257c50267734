"""Several workers: one of them dies, or the process that supervises them."""

import os
import re
import signal
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
from harness.process import catches, is_stopped
from harness.waiting import HANGING, eventually
from tools.command import ANY_PORT, COMMAND, Command, running, serving


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with a file."""
    (tmp_path / "a.txt").write_text("here\n")
    return tmp_path


async def _grown_up(command: Command, count: int) -> list[int]:
    """Return the workers as soon as they are old enough to be replaced at once."""
    await eventually(lambda: len(command.children) == count)
    await eventually(lambda: catches(command.process.pid, signal.SIGTERM))  # so it has noted the start of the last one
    began = time.monotonic()
    await eventually(lambda: time.monotonic() - began > 1.1)
    return command.children


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_worker_that_dies_is_named_and_replaced(tree: Path, number: signal.Signals) -> None:
    async with serving(tree, "--workers", "2") as command:
        victim, other = await _grown_up(command, 2)
        os.kill(victim, number)
        await eventually(lambda: len(set(command.children) - {victim}) == 2)
        assert other in command.children
        how = r"was ended by signal 9 \(Killed\)" if number == signal.SIGKILL else "ended with exit code 0"
        assert re.fullmatch(rf"async-downloads: worker {victim} {how}: a new worker replaces it\n", command.stderr)
        os.kill(other, signal.SIGKILL)
        await eventually(lambda: not {victim, other} & set(command.children))
        assert command.get("/a.txt").text == "here\n"
        command.process.terminate()
        assert await command.ended() == 0


async def test_workers_that_die_quickly_are_replaced_more_and_more_slowly(tree: Path) -> None:
    async with serving(tree, "--workers", "2") as command:
        healthy, *_ = await _grown_up(command, 2)
        for pause in ("0.1", "0.2", "0.4"):
            for child in set(command.children) - {healthy}:
                os.kill(child, signal.SIGKILL)
            await eventually(partial(_replaces_in, command, pause))
            await eventually(lambda: len(command.children) == 2)
        assert healthy in command.children
        assert command.get("/a.txt").text == "here\n"
        command.process.terminate()
        assert await command.ended() == 0


def _replaces_in(command: Command, pause: str) -> bool:
    """Kill the youngest worker again and again, until the parent says that it waits `pause` seconds."""
    with suppress(ProcessLookupError, FileNotFoundError):
        for child in command.children[1:]:
            os.kill(child, signal.SIGKILL)
    return f"right after its start: a new worker replaces it in {pause} s\n" in command.stderr


async def test_workers_share_the_digests_of_files(tree: Path) -> None:
    (tree / "large.bin").write_bytes(bytes(100_000))
    stated = "ab" * 32
    (tree / "large.bin.sha256").write_text(stated)
    async with serving(tree, "--workers", "2", "--etag", "digest") as command:
        await eventually(lambda: len(command.children) == 2)
        for silent in command.children:  # so that each one responds once
            os.kill(silent, signal.SIGSTOP)
            await eventually(partial(is_stopped, silent))
            assert command.get("/large.bin").headers["etag"] == f'"{stated}"'
            (tree / "large.bin.sha256").unlink(missing_ok=True)
            os.kill(silent, signal.SIGCONT)


async def test_a_server_whose_workers_wait_for_their_start_ends_at_a_signal(tree: Path) -> None:
    async with serving(tree, "--workers", "1") as command:
        command.process.terminate()
        assert await command.ended() == 0


@pytest.mark.parametrize("kind", ["reader has left", "disk is full"])
async def test_a_worker_is_replaced_although_standard_error_cannot_be_written(tree: Path, kind: str) -> None:
    read, pipe = os.pipe()
    os.close(read)
    target = f"2>&{pipe}" if kind == "reader has left" else "2>/dev/full"
    shell = ("bash", "-c", f'exec "$@" {target} {pipe}>&-', "bash", *COMMAND)
    async with running("serve", tree, *ANY_PORT, "--workers", "2", command=shell, pass_fds=(pipe,)) as command:
        os.close(pipe)
        victim, other = await _grown_up(command, 2)
        os.kill(victim, signal.SIGKILL)
        await eventually(lambda: len(set(command.children) - {victim}) == 2)
        assert other in command.children
        command.process.terminate()
        assert await command.ended() == 0


async def test_workers_whose_parent_died_end_by_themselves(tree: Path) -> None:
    async with serving(tree, "--workers", "3") as command:
        victim, *_ = await _grown_up(command, 3)
        os.kill(victim, signal.SIGKILL)  # its successor is forked from a parent that already had the pipe
        await eventually(lambda: victim not in command.children and len(command.children) == 3)
        command.send(signal.SIGKILL)
        await eventually(lambda: command.process.poll() is not None)
        await eventually(lambda: not _group(command.process.pid))


def _group(leader: int) -> list[int]:
    """Return the running processes of a group; a zombie does not run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
            if int(group) == leader and state != "Z":
                found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("target", ["/a.txt", "/download"])
async def test_all_workers_name_the_same_multipart_boundary(tree: Path, target: str) -> None:
    (tree / "a.txt").write_bytes(bytes(100_000))
    async with serving(tree, "--workers", "2", "--download-file", tree / "a.txt") as command:
        await eventually(lambda: len(command.children) == 2)
        types = []
        for silent, method in zip(command.children, ("HEAD", "GET"), strict=True):
            os.kill(silent, signal.SIGSTOP)
            await eventually(partial(is_stopped, silent))
            response = httpx.request(method, command.url + target, headers={"Range": "bytes=0-0,-1"}, timeout=HANGING)
            types.append((response.status_code, response.headers["Content-Type"]))
            os.kill(silent, signal.SIGCONT)
        assert types[0][0] == 206
        assert types[0] == types[1]
