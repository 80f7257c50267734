"""`async-downloads get`, killed again and again: it goes on where it was, and ends with what is on the server."""

import asyncio
import sys
from pathlib import Path
from random import Random

import pytest
from harness.chaos import Chaos, Faults
from harness.versions import GIB, Version
from tools.command import environment

_KILLS = 20
_GET = (sys.executable, "-m", "async_downloads", "get", "--quiet")


@pytest.mark.timeout(120)  # most of it is twenty-one times the start of Python
@pytest.mark.parametrize("connections", [1, 4])
async def test_killed_at_twenty_moments_it_ends_byte_exact_and_little_is_sent_twice(
    tmp_path: Path, connections: int
) -> None:
    target = tmp_path / "chaos.bin"
    chaos = Chaos(Faults())
    moments = sorted(Random(connections).sample(range(GIB), _KILLS))
    async with chaos.listening() as url:
        for moment in moments:
            assert await _get(chaos, url, target, connections, killed_at=moment) == -9
            assert not target.exists()
        assert await _get(chaos, url, target, connections) == 0
    assert Version(0, GIB).difference(target) is None
    assert chaos.sent < 1.2 * GIB
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    target.unlink()


async def _get(chaos: Chaos, url: str, target: Path, connections: int, *, killed_at: int | None = None) -> int:
    """Return how it ended."""
    process = await asyncio.create_subprocess_exec(
        *_GET, "-x", str(connections), "-o", str(target), url, env=environment()
    )
    if killed_at is not None:
        chaos.at[killed_at] = process.kill
    return await process.wait()
