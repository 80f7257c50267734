"""A download that is killed before any one of its calls to the file system goes on as if it had only been slow."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Final

import pytest
from harness.chaos import Chaos, Faults
from harness.versions import MIB, Version
from tools.command import environment

SIZE: Final = 3 * MIB + 5
RIGHT: Final = Version(0, SIZE)

# Dies before the call of that number. What libraries are asked does not count, only what the kernel is.
_PROGRAM: Final = """
import asyncio, os, signal, sys, threading
from pathlib import Path
from async_downloads.client import download

CALLS = {"open", "pwrite", "pwritev", "write", "fsync", "fdatasync", "replace", "rename", "link", "ftruncate",
         "truncate", "utime", "setxattr", "unlink", "remove", "chmod", "fchmod", "close", "flock"}
folder, url = Path(sys.argv[1]), sys.argv[2]
target = folder / "target"


def die_before(number):
    left = number

    def look(frame, event, called):
        nonlocal left
        if event == "c_call" and called.__name__ in CALLS and called.__module__ in ("posix", "fcntl"):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(look)
    sys.setprofile(look)


def fetched(*, number=0):
    pid = os.fork()
    if pid == 0:
        if number:
            die_before(number)
        asyncio.run(download(url, target, connections=int(sys.argv[3])))
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    sys.stdout.write(".")
    sys.stdout.flush()
    sys.stdin.readline()
    return status


number, status = 1, signal.SIGKILL
while status == signal.SIGKILL:
    status = fetched(number=number)
    assert fetched() == 0
    target.unlink()
    number += 1
assert status == 0, status
"""


@pytest.mark.parametrize("connections", [1, 4])
async def test_killed_before_any_call_it_is_whole_when_it_is_run_again(tmp_path: Path, connections: int) -> None:
    chaos, target = Chaos(Faults(size=SIZE)), tmp_path / "target"
    async with chaos.listening() as url:
        command = (sys.executable, "-c", _PROGRAM, str(tmp_path), url, str(connections))
        process = await asyncio.create_subprocess_exec(*command, env=environment(), stdin=PIPE, stdout=PIPE)
        kills = 0
        while await _ends(process):
            assert not target.exists() or RIGHT.difference(target) is None
            _go_on(process)
            assert await _ends(process)
            assert [*tmp_path.iterdir()] == [target]
            assert RIGHT.difference(target) is None
            _go_on(process)
            kills += 1
        assert await process.wait() == 0
    assert kills > 10
    assert chaos.sent < 2 * SIZE * kills


async def _ends(process: Process) -> bool:
    """Return when another download has ended; False when that was the last."""
    assert process.stdout
    return bool(await process.stdout.read(1))


def _go_on(process: Process) -> None:
    assert process.stdin
    process.stdin.write(b"\n")
