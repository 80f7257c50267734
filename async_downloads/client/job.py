"""One download: find earlier files, fetch, verify, and give the file its name."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import aiofiles.os

from ..errors import DigestMismatch, DiskError
from .adoption import prove
from .checksum import Checksum
from .copies import RemoteCopy
from .decisions.version import UNKNOWN
from .disk.destination import Destination
from .disk.existing import Unchanged
from .fetch import Fetch
from .limits import TransferLimits
from .reporter import Progress, ProgressListener, Reporter, Result

__all__ = ["Job"]


@dataclass(slots=True)
class Job:
    """One download of a file from the servers of `copies`. `checksum` is the digest that the caller expects.

    The caller holds one slot of the first copy for the first connection.
    """

    copies: Sequence[RemoteCopy]
    destination: Destination
    limits: TransferLimits
    connections: int = 1
    checksum: Checksum | None = None
    listener: ProgressListener | None = None

    async def run(self) -> Result:
        """Fetch, verify and publish the file. If that fails, keep the bytes if a later run can use them."""
        clock = asyncio.get_running_loop().time
        started, keep = clock(), True
        try:
            result = await self._result()
        except DigestMismatch:
            keep = False  # no other run could succeed with these bytes
            raise
        finally:
            with suppress(DiskError):  # the file is complete, or an earlier error is more important
                await self.destination.close(keep=keep)
        return replace(result, seconds=clock() - started)

    async def _result(self) -> Result:
        try:
            return await self._fetch()
        except Unchanged as unchanged:
            return await self._unchanged(unchanged)

    async def _fetch(self) -> Result:
        schedule = await self.destination.prepare(
            self.connections, partial(prove, self.copies[0].exchange, self.limits)
        )
        reporter = Reporter(self.listener, schedule, lambda: self.destination.path.name, url=self.copies[0].url)
        reporter.state_changed("waiting")
        fetch = Fetch(
            self.copies,
            schedule,
            self.destination,
            limits=self.limits,
            reporter=reporter,
            verified=self.checksum is not None,
        )
        await fetch.run()
        digest = await self._verify(self.checksum or fetch.expected_digest, reporter)
        path = await self.destination.finish()
        reporter.state_changed("finished")
        version = schedule.version or UNKNOWN
        validators, warning = version.validators, fetch.warning
        size, resumed_from = self.destination.size, schedule.resumed_from
        return Result(path, size, reporter.received, resumed_from, validators, digest, warning=warning)

    async def _verify(self, checksum: Checksum | None, reporter: Reporter) -> str | None:
        if checksum is None:
            return None
        reporter.state_changed("verifying")
        try:
            await self.destination.verify(checksum)
        except DigestMismatch:  # the checksum may be that of the decoded file
            if not any(each.exchange.labelled for each in self.copies) or not await self.destination.decode(checksum):
                raise
        return str(checksum)

    async def _unchanged(self, unchanged: Unchanged) -> Result:
        path = unchanged.path
        size = (await aiofiles.os.stat(path)).st_size
        if self.listener is not None:
            self.listener(Progress("finished", path.name, size, size, size, (), 0.0, "", self.copies[0].url))
        digest = str(self.checksum) if self.checksum else None
        return Result(path, size, 0, size, unchanged.version.validators, digest, unchanged=True)
