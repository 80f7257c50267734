"""What the tests of keeping bytes share."""

import asyncio
import os
from collections.abc import Callable

from async_downloads.client.decisions.response import Whole
from async_downloads.client.decisions.schedule import Piece, Plan
from async_downloads.client.decisions.version import Version
from async_downloads.client.disk.batch_writer import Keeper, Writer
from async_downloads.client.disk.journal import Journal, Record
from async_downloads.client.disk.part_file import Target
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import Validators

__all__ = ["CHUNK", "MIB", "VERSION", "come_true", "failing", "journal", "started", "stored"]

MIB = 1024 * 1024
VERSION = Version(100 * MIB, Validators(ETag("a")), '"a"')
CHUNK = bytes(range(256)) * 1024  # a quarter of a MiB


def started(version: Version = VERSION, *, connections: int = 4) -> tuple[Plan, Piece]:
    """A plan whose only piece is the whole file."""
    plan = Plan(connections)
    piece = plan.take()
    assert piece
    plan.admit(piece, Whole(version, version.total))
    return plan, piece


async def stored(keeper: Keeper, piece: Piece, count: int) -> None:
    """Put so many chunks into the next bytes of the piece, and have them in the file."""
    writer = Writer(keeper, piece)
    for _ in range(count):
        await writer.put(CHUNK)
    await writer.aclose()


def journal(target: Target) -> Record | None:
    """What the journal says by now."""
    return Journal(target.part.with_suffix(".part.json"), "u").load()


async def come_true(condition: Callable[[], bool]) -> None:
    """Have the loop turn, on whatever clock, until the condition holds."""
    while not condition():  # noqa: ASYNC110  # nothing tells
        await asyncio.sleep(0)


def failing(number: int) -> Callable[..., None]:
    """What fails with an error of the system's."""

    def function(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return function
