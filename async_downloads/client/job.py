"""One download, from the first look at the disk to the file in its place."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

import aiofiles.os

from ..errors import DigestMismatch, DiskError
from .checksum import Checksum
from .decisions.version import UNKNOWN
from .disk.destination import Destination, Unchanged
from .fetch import Fetch, TransferLimits
from .http.exchange import Exchange
from .reporter import Progress, ProgressListener, Reporter, Result

__all__ = ["Job"]


@dataclass(slots=True)
class Job:
    """What makes one download; `checksum` is what the caller knows of the file."""

    exchange: Exchange
    destination: Destination
    limits: TransferLimits
    connections: int = 1
    checksum: Checksum | None = None
    tell: ProgressListener | None = None

    async def run(self) -> Result:
        """Fetch, verify and finish. Whatever ends it before, what came is kept if another run can go on with it."""
        clock = asyncio.get_running_loop().time
        begun, keep = clock(), True
        try:
            result = await self._fetch_or_find()
        except DigestMismatch:
            keep = False  # with these bytes, no other run could succeed
            raise
        finally:
            await self._leave(keep=keep)
        return replace(result, seconds=clock() - begun)

    async def _leave(self, *, keep: bool) -> None:
        """Tidy up. When that fails it is not worth telling: the file is there, or another error came first."""
        with suppress(DiskError):
            await self.destination.close(keep=keep)

    async def _fetch_or_find(self) -> Result:
        try:
            return await self._fetch()
        except Unchanged as found:
            return await self._unchanged(found)

    async def _fetch(self) -> Result:
        schedule = await self.destination.prepare(self.connections)
        reporter = Reporter(self.tell, schedule, lambda: self.destination.path.name)
        reporter.state_changed("waiting")
        fetch = Fetch(self.exchange, schedule, self.destination, limits=self.limits, reporter=reporter)
        await fetch.run()
        digest = await self._verify(self.checksum or fetch.expected_digest, reporter)
        path = await self.destination.finish()
        reporter.state_changed("finished")
        version = schedule.version or UNKNOWN
        return Result(path, schedule.held.size, reporter.received, schedule.resumed_from, version.validators, digest)

    async def _verify(self, checksum: Checksum | None, reporter: Reporter) -> str | None:
        if checksum is None:
            return None
        reporter.state_changed("verifying")
        await self.destination.verify(checksum)
        return str(checksum)

    async def _unchanged(self, found: Unchanged) -> Result:
        size = (await aiofiles.os.stat(found.path)).st_size
        if self.tell is not None:
            self.tell(Progress("finished", found.path.name, size, size, size, (), 0.0, ""))
        digest = str(self.checksum) if self.checksum else None
        return Result(found.path, size, 0, size, found.version.validators, digest, unchanged=True)
