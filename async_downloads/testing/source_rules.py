"""The rules of one source."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from itertools import pairwise
from random import Random
from typing import Final

from ..semantics.ranges import UNBOUNDED, ByteRange
from ..sources.base import Source, SupportsChecksum, SupportsReadNowait
from .reading import bounded, read
from .rules import RULE_SECONDS, check, require

__all__ = ["cancelled_read", "check_source"]

_SPLITS: Final = 8
_MAX_CUTS: Final = 12
_READERS: Final = 24
_STEPS: Final = range(6)
_Rules = tuple[Callable[[Source, bytes], Awaitable[None]], ...]


async def check_source(source: Source, content: bytes, *, seconds_per_rule: float = RULE_SECONDS) -> None:
    """Check that an open source has this content and keeps the contract of `Source`, and close it.

    Raises ContractError if a rule is broken, or if its check takes more than `seconds_per_rule`. So the check also
    finds a source that waits for ever or never ends. It cannot stop a source that blocks the event loop.
    """
    await check(_has_the_interface, source, seconds=seconds_per_rule)
    try:
        for rule in _rules_for(source, content):
            await check(rule, source, content, seconds=seconds_per_rule)
    finally:
        await check(_closes_twice, source, seconds=seconds_per_rule)


def _rules_for(source: Source, content: bytes) -> _Rules:
    if source.representation.size is None:
        return (_reads_an_unknown_size,)
    return _SIZED_RULES if content else (_describes_its_size,)


async def _has_the_interface(source: Source) -> None:
    """A source has `representation`, `read` and `aclose`."""
    missing = [name for name in ("representation", "read", "aclose") if not hasattr(source, name)]
    require(not missing, f"{type(source).__name__} has no {' and no '.join(missing)}")


async def _describes_its_size(source: Source, content: bytes) -> None:
    """The described size is the number of bytes of the content."""
    size = source.representation.size
    require(size == len(content), f"the size is {size}, the content has {len(content)} bytes")


async def _yields_bytes(source: Source, content: bytes) -> None:
    """`read` is an asynchronous generator (`async def` with `yield`) of bytes."""
    chunks = source.read(ByteRange(0, len(content)))
    if isinstance(chunks, Coroutine):
        chunks.close()
    require(isinstance(chunks, AsyncGenerator), f"it returns {type(chunks).__name__}")
    async with aclosing(bounded(chunks, len(content))) as bounded_chunks:
        async for chunk in bounded_chunks:
            require(isinstance(chunk, bytes), f"it yields {type(chunk).__name__}")


async def _reads_the_whole(source: Source, content: bytes) -> None:
    """`read` yields exactly the bytes of the span."""
    size = len(content)
    for start, stop in ((0, size), (0, 1), (size - 1, size), (0, (size + 1) // 2)):
        await _reads_span(source, content, start, stop)


async def _reads_span(source: Source, content: bytes, start: int, stop: int) -> None:
    _compare(await read(source, start, stop), content, start, stop)


def _compare(found: bytes, content: bytes, start: int, stop: int) -> None:
    wanted = content[start:stop]
    span = f"ByteRange({start}, {stop})"
    require(len(found) == len(wanted), f"{span} gave {len(found)} bytes")
    require(found == wanted, f"{span} gave other bytes than the content has there")


async def _reads_in_any_order(source: Source, content: bytes) -> None:
    """Any spans of a source can be read, in any order and again."""
    random = Random(len(content))
    for _ in range(_SPLITS):
        spans = _split(random, len(content))
        for start, stop in random.sample(spans, len(spans)):
            await _reads_span(source, content, start, stop)


def _split(random: Random, size: int) -> list[tuple[int, int]]:
    cuts = {random.randrange(size) for _ in range(random.randrange(_MAX_CUTS))}
    return list(pairwise(sorted({0, size, *cuts})))


async def _reads_at_the_same_time(source: Source, content: bytes) -> None:
    """Several spans of a source can be read at the same time."""
    step = -(-len(content) // _READERS)
    spans = [(start, min(start + 4 * step, len(content))) for start in range(0, len(content), step)]
    await asyncio.gather(*(_reads_span(source, content, *span) for span in spans))


async def _stays_whole_after_a_reader_left(source: Source, content: bytes) -> None:
    """A reader that stops early does not affect the next one."""
    async with aclosing(source.read(ByteRange(0, len(content)))) as chunks:
        await anext(chunks)
    await _reads_span(source, content, len(content) // 2, len(content))


async def _stays_whole_after_a_cancelled_read(source: Source, content: bytes) -> None:
    """A cancelled read does not affect the next one."""
    for steps in _STEPS:
        reading = await cancelled_read(source, len(content), steps)
        await asyncio.gather(reading, return_exceptions=True)
        await _reads_span(source, content, len(content) // 2, len(content))


async def cancelled_read(source: Source, size: int, steps: int) -> "asyncio.Task[bytes]":
    """Begin to read a whole source, cancel the read after `steps` turns of the event loop, and return the task."""
    reading = asyncio.create_task(read(source, 0, size))
    for _ in range(steps):
        await asyncio.sleep(0)
    reading.cancel()
    return reading


async def _reads_without_waiting(source: Source, content: bytes) -> None:
    """`read_nowait` returns the bytes of the span, or None."""
    if isinstance(source, SupportsReadNowait):
        for start, stop in ((0, len(content)), (len(content) // 2, len(content))):
            if (found := source.read_nowait(ByteRange(start, stop))) is not None:
                _compare(found, content, start, stop)


async def _has_the_right_checksum(source: Source, content: bytes) -> None:
    """`crc32` returns the CRC-32 of the span, continued from `value`."""
    if isinstance(source, SupportsChecksum):
        value = 0
        for start, stop in pairwise(sorted({0, len(content) // 2, len(content)})):
            value = await source.crc32(ByteRange(start, stop), value)
        require(value == zlib.crc32(content), f"it is {value:08x}, not {zlib.crc32(content):08x}")


async def _reads_an_unknown_size(source: Source, content: bytes) -> None:
    """A source of unknown size yields its whole content when it is read with the span UNBOUNDED."""
    async with aclosing(bounded(source.read(UNBOUNDED), len(content))) as chunks:
        _compare(b"".join([chunk async for chunk in chunks]), content, 0, len(content))


async def _closes_twice(source: Source) -> None:
    """A source can be closed, and closing it again does nothing."""
    await source.aclose()
    await source.aclose()


_SIZED_RULES: Final[_Rules] = (
    _describes_its_size,
    _yields_bytes,
    _reads_the_whole,
    _reads_in_any_order,
    _reads_at_the_same_time,
    _stays_whole_after_a_reader_left,
    _stays_whole_after_a_cancelled_read,
    _reads_without_waiting,
    _has_the_right_checksum,
)
