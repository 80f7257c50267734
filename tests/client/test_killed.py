"""`async-downloads get`, killed again and again: it goes on where it was, and ends with what is on the server."""

import asyncio
import signal
import sys
from pathlib import Path
from random import Random

import pytest
from harness.chaos import Chaos, Faults
from harness.versions import GIB, Version
from tools.command import environment

_KILLS = 20
_RATE = 200e6  # bytes a second: from a network, not from memory, where what is in buffers is a good part of all
_GET = (sys.executable, "-m", "async_downloads", "get", "--quiet")


@pytest.mark.timeout(120)  # most of it is twenty-one times the start of Python
async def test_killed_at_twenty_moments_it_ends_byte_exact_and_little_is_sent_twice(tmp_path: Path) -> None:
    chaos, target = Chaos(Faults(rate=_RATE)), tmp_path / "chaos.bin"
    async with chaos.listening() as url:
        for moment in sorted(Random(4).sample(range(GIB), _KILLS)):
            assert await _get(chaos, url, target, killed_at=moment) == -signal.SIGKILL
            assert not target.exists()
        assert await _get(chaos, url, target) == 0
    assert Version(0, GIB).difference(target) is None
    assert chaos.sent < 1.2 * GIB
    assert [*tmp_path.iterdir()] == [target]
    target.unlink()  # it is large, and pytest keeps what is there


async def _get(chaos: Chaos, url: str, target: Path, *, killed_at: int | None = None) -> int:
    """Run the command, and kill it when so many bytes have been sent in all; return how it ended."""
    process = await asyncio.create_subprocess_exec(*_GET, "-o", str(target), url, env=environment())
    if killed_at is not None:
        chaos.at[killed_at] = process.kill
    return await process.wait()
