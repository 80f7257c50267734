"""`async-downloads get`, killed again and again: it goes on where it was, and ends with what is on the server."""

import asyncio
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import pytest
from harness.chaos import Chaos, Faults
from harness.versions import GIB, MIB, Version
from tools.command import environment

_KILLS: Final = 20
_LEAD: Final = 8 * MIB  # what a client may have in hand: 4 MiB to be written, and 4 MiB to be noted in the journal
_CREEP: Final = MIB  # bytes per second
_LOOK: Final = 0.01  # seconds; nothing tells of another journal
_GET: Final = (sys.executable, "-m", "async_downloads", "get", "--quiet")


@dataclass(slots=True)
class _Waiting(Chaos):
    """Sends little more than the client has noted in its journal, however slow the machine makes it or its disk.

    Else what the kernel holds between the two would be sent twice, too: it is as much as the client is slow.
    """

    part_file: Path = Path()
    _begun: int = 0  # what was sent so far, but for what was kept
    _lead: int = 0

    def begin(self) -> None:
        """Serve another client, which begins with what the one before has left."""
        self._begun, self._lead = self.sent - self._noted(), _LEAD

    def _noted(self) -> int:
        journal = self.part_file.with_name(f"{self.part_file.name}.part.json")
        return sum(stop - start for start, stop in json.loads(journal.read_text())["done"]) if journal.exists() else 0

    async def _line(self, size: int) -> None:
        """Wait for the journal; a little more is sent meanwhile, for what a client dropped is never noted in it."""
        while self.sent - self._begun - self._noted() >= self._lead:
            await asyncio.sleep(_LOOK)
            self._lead += int(_CREEP * _LOOK)


@pytest.mark.timeout(300)  # it takes seconds where the disk is quick
async def test_killed_at_twenty_moments_it_ends_byte_exact_and_little_is_sent_twice(tmp_path: Path) -> None:
    part_file = tmp_path / "chaos.bin"
    chaos = _Waiting(Faults(), part_file=part_file)
    async with chaos.listening() as url:
        for moment in sorted(Random(4).sample(range(GIB), _KILLS)):
            assert await _get(chaos, url, killed_at=moment) == -signal.SIGKILL
            assert not part_file.exists()
        assert await _get(chaos, url) == 0
    assert Version(0, GIB).difference(part_file) is None
    assert chaos.sent < 1.2 * GIB
    assert [*tmp_path.iterdir()] == [part_file]
    part_file.unlink()  # it is large, and pytest keeps what is there


async def _get(chaos: _Waiting, url: str, *, killed_at: int | None = None) -> int:
    """Run the command, and kill it when so many bytes have been sent in all; return how it ended."""
    chaos.begin()
    process = await asyncio.create_subprocess_exec(*_GET, "-o", str(chaos.part_file), url, env=environment())
    if killed_at is not None:
        chaos.at[killed_at] = process.kill
    return await process.wait()
