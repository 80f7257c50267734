"""A resource as a stream, over one connection that is made again when it breaks."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from random import Random
from typing import Self

import httpx

from ..errors import BadResponse, NetworkError, RemoteChanged
from ..semantics.representation import Validators
from .checksum import WANT_DIGEST, Checksum, DigestCheck, expected_digest, expected_digest_of_part
from .decisions.response import (
    ErrorStatus,
    Full,
    NothingLeft,
    Partial,
    RangeRequest,
    ResponseHead,
    UnusableRange,
    VersionChanged,
    classify_response,
)
from .decisions.retries import RetryBudget, TransientError
from .decisions.version import UNKNOWN, RemoteVersion
from .disk.names import file_name
from .fetch import TransferLimits
from .http.body_stream import Deadline, body_stream
from .http.exchange import Exchange

__all__ = ["ResponseStream"]


class ResponseStream(AsyncIterator[bytes]):
    """The bytes of one version of a resource, in order, each of them once.

    Iterating raises FetchError when they cannot be had: RemoteChanged when another version took the place of this one
    while it was read, and whatever broke the connection when the server gave no strong validator to go on with. At the
    end it raises DigestMismatch when the first answer promised another digest, and before when one did for its part.
    It raises DeadlineOver when all is not read within `timeout` seconds.
    """

    def __init__(self, exchange: Exchange, limits: TransferLimits, url: str, *, timeout: float | None = None) -> None:
        self.name: str = file_name(None, url)
        """What a file of this would be called: one harmless name."""
        self._exchange = exchange
        self._limits = limits
        self._url = url
        self._deadline = Deadline(timeout)
        self._version: RemoteVersion | None = None
        self._at = self._begun_at = 0
        self._open = AsyncExitStack()
        self._bytes: AsyncGenerator[bytes]
        self._chunks = self._read()
        self._retry_budget = RetryBudget(limits.retries)
        self._proof = DigestCheck()
        self._random = Random()  # noqa: S311  # it keeps no secret

    @property
    def size(self) -> int | None:
        """How many bytes there are in all, if the server has told."""
        return self._version.total if self._version else None

    @property
    def validators(self) -> Validators:
        """What tells this version from others."""
        return (self._version or UNKNOWN).validators

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        async with self._deadline.kept():
            return await anext(self._chunks)

    async def aclose(self) -> None:
        """Close the connection if there is more to come."""
        await self._chunks.aclose()
        await self._open.aclose()

    async def begin(self) -> None:
        """Have the first answer."""
        async with self._deadline.kept():
            await self._go_on()

    async def _go_on(self) -> None:
        """Have an answer that begins, or goes on, where the bytes that were read have ended."""
        while True:
            try:
                return await self._ask()
            except TransientError as transient_error:
                await self._endure(transient_error)

    async def _read(self) -> AsyncGenerator[bytes]:
        while True:
            try:
                async with aclosing(self._bytes) as chunks:
                    async for chunk in chunks:
                        await self._limits.rate.spend(len(chunk))
                        self._at += len(chunk)
                        self._proof.add(chunk)
                        self._retry_budget.note(self._at)
                        yield chunk
                if self._at >= (self.size or 0):
                    self._proof.verify()
                    return
            except TransientError as transient_error:
                await self._endure(transient_error)
            await self._go_on()

    async def _endure(self, transient_error: TransientError) -> None:
        """Wait, or give up: at once when nothing could be put to what was read."""
        if self._version and not self._version.if_range:
            raise transient_error.error
        gained = self._at - self._begun_at
        await asyncio.sleep(self._retry_budget.wait(transient_error, gained=gained, jitter=self._random.random()))

    async def _ask(self) -> None:
        await self._open.aclose()
        self._begun_at = self._at
        if_range = self._version.if_range if self._version else None
        asked = RangeRequest(self._at, None, ranged=if_range is not None, if_range=if_range)
        fields = asked.fields if self._version else {**asked.fields, **WANT_DIGEST}
        response = await self._open.enter_async_context(self._exchange.get(fields))
        answer = self._exchange.head(response)
        match classify_response(asked, self._version, answer):
            case Full(version, length) as whole:
                self._introduce(answer, whole)
                self._bytes = _after(self._at, self._flow(response, length, version.coding))
            case Partial(version) as part:
                self._bytes = self._flow(response, part.length, expected=expected_digest_of_part(answer, part))
            case NothingLeft(version):  # the body before has been read as far as it came, and none follows it
                pass
            case UnusableRange(reason):
                raise TransientError(BadResponse(reason))
            case VersionChanged():
                raise RemoteChanged("the file on the server was replaced while it was read")
            case ErrorStatus() as refused:
                raise refused.exception
        self._version = version

    def _introduce(self, answer: ResponseHead, whole: Full) -> None:
        """Note what the first answer says of all that is to come."""
        if self._version is None:
            self.name = file_name(answer.fields.get("content-disposition"), self._url)
            self._proof = DigestCheck(expected_digest(answer, whole))

    def _flow(
        self,
        response: httpx.Response,
        length: int | None,
        coding: str | None = None,
        expected: Checksum | None = None,
    ) -> AsyncGenerator[bytes]:
        return body_stream(response, length=length, coding=coding, min_speed=self._limits.min_speed, expected=expected)


async def _after(skip: int, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Leave the first bytes out. TransientError when there are not even those."""
    async with aclosing(chunks):
        async for chunk in chunks:
            if rest := chunk[skip:]:
                yield rest
            skip = max(skip - len(chunk), 0)
    if skip:
        raise TransientError(
            NetworkError(f"the connection ended {skip} bytes before it had got as far as the one before")
        )
