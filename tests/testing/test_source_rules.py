"""A source that breaks a rule of the contract fails the check, and the message has the rule."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from random import Random
from typing import Any, Final
from zlib import crc32

import pytest

from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation
from async_downloads.sources.base import Source
from async_downloads.sources.streams import source_of
from async_downloads.testing import ContractError, check_source

CONTENT: Final = Random(3).randbytes(20_000)
CHUNK: Final = 1000


class _Right:
    """A source that keeps the contract; each class below breaks one rule of it."""

    def __init__(self) -> None:
        self.representation = Representation(len(CONTENT))
        self.data = CONTENT
        self.closed = 0

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        for start in range(span.start, span.stop, CHUNK):
            await asyncio.sleep(0)
            yield self.data[start : min(start + CHUNK, span.stop)]

    def read_nowait(self, span: ByteRange) -> bytes | None:
        return self.data[span.start : span.stop]

    async def crc32(self, span: ByteRange, value: int = 0) -> int:
        return crc32(self.data[span.start : span.stop], value)

    async def aclose(self) -> None:
        self.closed += 1


class _WithoutClose:
    representation = Representation(len(CONTENT))


class _OtherSize(_Right):
    def __init__(self) -> None:
        super().__init__()
        self.representation = Representation(len(CONTENT) + 1)


class _Coroutine(_Right):
    async def read(self, span: ByteRange) -> Any:  # type: ignore[override] # the fault
        return super().read(span)


class _List(_Right):
    def read(self, span: ByteRange) -> Any:
        return [self.data[span.start : span.stop]]


class _Text(_Right):
    async def read(self, span: ByteRange) -> AsyncGenerator[Any, None]:
        async for chunk in super().read(span):
            yield chunk.decode("latin-1")


class _Inclusive(_Right):
    """Its spans include the last byte, as those of a Range field."""

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        yield self.data[span.start : span.stop + 1]


class _EndsEarly(_Right):
    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        yield self.data[span.start : min(span.stop, span.start + CHUNK)]


class _OtherBytes(_Right):
    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        yield bytes(len(span))


class _Raises(_Right):
    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        yield b""
        raise OSError("the disk is gone")


class _FirstChunkOfItsOwn(_Right):
    """It ignores the start of a span that begins in its first chunk."""

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        start = span.start if span.start % CHUNK == 0 or span.stop == len(CONTENT) else span.start - 1
        yield self.data[start : start + len(span)]


class _OnePosition(_Right):
    """It reads at one position that all readers share, as a file object does."""

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        self.position = span.start
        while self.position < span.stop:
            await asyncio.sleep(0)
            start, self.position = self.position, min(self.position + CHUNK, span.stop)
            yield self.data[start : self.position]


class _LostByAReader(_Right):
    """If a reader leaves early, nothing else can be read."""

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        done = False
        try:
            async for chunk in super().read(span):
                yield chunk
            done = True
        except GeneratorExit:
            self.data = b""
            raise
        finally:
            self.done = done


class _LostByACancellation(_Right):
    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in super().read(span):
                yield chunk
        except asyncio.CancelledError:
            self.data = b""
            raise


class _OtherBytesAtOnce(_Right):
    def read_nowait(self, span: ByteRange) -> bytes | None:
        return self.data[: len(span) - 1]


class _FreshChecksum(_Right):
    async def crc32(self, span: ByteRange, value: int = 0) -> int:
        return crc32(self.data[span.start : span.stop])


class _ClosesOnce(_Right):
    async def aclose(self) -> None:
        await super().aclose()
        if self.closed == 2:
            raise RuntimeError("closed already")


class _UnknownSize(_Right):
    def __init__(self) -> None:
        super().__init__()
        self.representation = Representation(None, ranges=False)

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        async for chunk in super().read(ByteRange(0, len(CONTENT) - 1)):
            yield chunk


class _Hangs(_Right):
    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        await asyncio.get_running_loop().create_future()
        yield b""


class _NeverEnds(_Right):
    def __init__(self, chunk: bytes, size: int | None = len(CONTENT)) -> None:
        super().__init__()
        self.representation = Representation(size, ranges=size is not None)
        self.chunk = chunk

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        while True:
            yield self.chunk


class _HangsAtTheEnd(_Right):
    def __init__(self) -> None:
        super().__init__()
        self.representation = Representation(0)

    async def aclose(self) -> None:
        await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(
    ("make", "rule", "fact"),
    [
        pytest.param(_WithoutClose, "`representation`, `read` and", "has no read and no aclose", id="no methods"),
        pytest.param(_OtherSize, "The described size is", "the size is 20001, the content has 20000", id="size"),
        pytest.param(_Coroutine, "asynchronous generator", "it returns coroutine", id="coroutine"),
        pytest.param(_List, "asynchronous generator", "it returns list", id="list"),
        pytest.param(_Text, "asynchronous generator", "it yields str", id="text"),
        pytest.param(_Inclusive, "exactly the bytes", r"ByteRange\(.*\) gave .* bytes", id="inclusive"),
        pytest.param(_EndsEarly, "exactly the bytes", "gave 1000 bytes", id="ends early"),
        pytest.param(_OtherBytes, "exactly the bytes", "gave other bytes", id="other bytes"),
        pytest.param(_Raises, "asynchronous generator", "OSError: the disk is gone", id="raises"),
        pytest.param(_FirstChunkOfItsOwn, "in any order", "gave other bytes", id="odd start"),
        pytest.param(_OnePosition, "at the same time", "gave", id="one position"),
        pytest.param(_LostByAReader, "A reader that stops early", "gave 0 bytes", id="lost by a reader"),
        pytest.param(_LostByACancellation, "A cancelled read", "gave 0 bytes", id="lost by a cancellation"),
        pytest.param(_OtherBytesAtOnce, "`read_nowait` returns", "gave 19999 bytes", id="other bytes at once"),
        pytest.param(_FreshChecksum, "`crc32` returns", f"not {crc32(CONTENT):08x}", id="checksum not continued"),
        pytest.param(_ClosesOnce, "closing it again", "RuntimeError: closed already", id="closes once"),
        pytest.param(_UnknownSize, "of unknown size", "gave 19999 bytes", id="unknown size"),
    ],
)
async def test_a_faulty_source_fails_by_the_rule_that_it_breaks(
    make: Callable[[], Source], rule: str, fact: str
) -> None:
    with pytest.raises(ContractError, match=fact) as raised:
        await check_source(make(), CONTENT)
    assert rule in raised.value.rule
    assert str(raised.value) == f"{raised.value.rule} Broken: {raised.value.fact}"


@pytest.mark.parametrize(
    ("source", "content", "rule", "fact"),
    [
        pytest.param(_Hangs(), CONTENT, "asynchronous generator", "did not end within 0.01 s", id="hangs"),
        pytest.param(_NeverEnds(b""), CONTENT, "asynchronous generator", "did not end within 0.01 s", id="no bytes"),
        pytest.param(_NeverEnds(CONTENT), CONTENT, "exactly the bytes", "gave 40000 bytes", id="too many bytes"),
        pytest.param(_NeverEnds(CONTENT, None), CONTENT, "of unknown size", "gave 40000 bytes", id="of unknown size"),
        pytest.param(
            _HangsAtTheEnd(), b"", "A source can be closed", "did not end within 0.01 s", id="hangs at the end"
        ),
    ],
)
async def test_a_source_that_never_ends_fails_in_time(source: Source, content: bytes, rule: str, fact: str) -> None:
    with pytest.raises(ContractError, match=fact) as raised:
        await check_source(source, content, seconds_per_rule=0.01)
    assert rule in raised.value.rule


async def test_a_right_source_passes_and_is_closed() -> None:
    source = _Right()
    await check_source(source, CONTENT)
    assert source.closed == 2


async def test_a_source_is_closed_although_it_breaks_a_rule() -> None:
    source = _OtherBytes()
    with pytest.raises(ContractError):
        await check_source(source, CONTENT)
    assert source.closed == 2


async def test_a_stream_of_unknown_size_passes() -> None:
    await check_source(source_of(iter([CONTENT[:5], CONTENT[5:]])), CONTENT)


async def test_a_contract_error_is_an_assertion_error() -> None:
    with pytest.raises(AssertionError, match="the content has 3 bytes"):
        await check_source(_Right(), b"abc")
