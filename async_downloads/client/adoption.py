"""Ask a server whether a part file of another program belongs to the version that the server has."""

import asyncio
from contextlib import aclosing
from functools import partial
from random import Random

from ..threads import in_thread
from .decisions.adoption import adoptable_version, overlap_request
from .decisions.retries import RetryBudget, TransientError
from .decisions.version import RemoteVersion
from .disk.foreign import ForeignPart
from .http.body_stream import body_stream
from .http.exchange import Exchange
from .limits import TransferLimits

__all__ = ["prove"]


async def prove(exchange: Exchange, limits: TransferLimits, part: ForeignPart) -> RemoteVersion | None:
    """Return the version to which the bytes of a part belong; None if the server does not prove that.

    Raises FetchError if the server does not respond, and DiskError if the part cannot be read.
    """
    request = overlap_request(part.size, part.modified)
    held = await in_thread(partial(part.read, request.start))
    budget, random = RetryBudget(limits.retries, limits.patience), Random()  # noqa: S311  # it keeps no secret
    while True:
        try:
            async with exchange.get(request.fields) as response:
                head = exchange.head(response)
                version = adoptable_version(request, part.modified, head)
                if version is None:
                    return None
                body = body_stream(response, length=len(held), coding=None, min_speed=limits.min_speed)
                async with aclosing(body) as chunks:
                    return version if b"".join([chunk async for chunk in chunks]) == held else None
        except TransientError as error:
            await asyncio.sleep(budget.wait(error, received=0, jitter=random.random()))
