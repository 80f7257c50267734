"""`async-downloads get`, killed repeatedly, continues each time and ends with the exact file."""

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
_LEAD: Final = 8 * MIB  # a client holds up to 4 MiB to write, and 4 MiB to note in the journal
_CREEP: Final = MIB  # bytes per second
_LOOK: Final = 0.01  # seconds; a changed journal must be polled for
_GET: Final = (sys.executable, "-m", "async_downloads", "get", "--quiet")


@dataclass(slots=True)
class _Waiting(Chaos):
    """Sends little more than the client has noted in its journal, however slow the machine or its disk is.

    Otherwise the bytes in the kernel would be sent twice, too, and their number depends on the speed of the client.
    """

    path: Path = Path()
    _begun: int = 0  # the bytes sent before this client, less those that the journal kept
    _lead: int = 0

    def begin(self) -> None:
        """Prepare for another client, which continues where the one before it was killed."""
        self._begun, self._lead = self.sent - self._noted(), _LEAD

    def _noted(self) -> int:
        journal = self.path.with_name(f"{self.path.name}.part.json")
        return sum(stop - start for start, stop in json.loads(journal.read_text())["done"]) if journal.exists() else 0

    async def _line(self, size: int) -> None:
        """Wait for the journal. Send a little more meanwhile: bytes that the client dropped are never noted in it."""
        while self.sent - self._begun - self._noted() >= self._lead:
            await asyncio.sleep(_LOOK)
            self._lead += int(_CREEP * _LOOK)


@pytest.mark.timeout(300)  # it takes seconds where the disk is quick
async def test_a_download_killed_twenty_times_is_exact_and_resends_little(tmp_path: Path) -> None:
    path = tmp_path / "chaos.bin"
    chaos = _Waiting(Faults(), path=path)
    async with chaos.listening() as url:
        for moment in sorted(Random(4).sample(range(GIB), _KILLS)):
            assert await _get(chaos, url, killed_at=moment) == -signal.SIGKILL
            assert not path.exists()
        assert await _get(chaos, url) == 0
    assert Version(0, GIB).difference(path) is None
    assert chaos.sent < 1.2 * GIB
    assert [*tmp_path.iterdir()] == [path]
    path.unlink()  # it is large, and pytest keeps the folder


async def _get(chaos: _Waiting, url: str, *, killed_at: int | None = None) -> int:
    """Run the command, kill it after this number of bytes of all runs together, and return its exit code."""
    chaos.begin()
    process = await asyncio.create_subprocess_exec(*_GET, "-o", str(chaos.path), url, env=environment())
    if killed_at is not None:
        chaos.at[killed_at] = process.kill
    return await process.wait()
