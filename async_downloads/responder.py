"""Where a plan and a source meet: `respond` makes the reply, `Body` reads it out.

request ─┐
source ──┼─> plan() ──> status, fields, pieces ──> Reply(status, fields, Body)
policy ──┘                                                        │
                                          chunks of bytes <───────┘  reading the source, at the client's pace
"""

import asyncio
import math
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Self, cast

from .errors import SendStalled
from .fileio import Pace, Stretch
from .semantics.multipart import Piece
from .semantics.plan import Policy, plan
from .semantics.ranges import ByteRange
from .semantics.representation import Field, Representation, RequestHead
from .sources.base import OnDisk, Prompt, Source

__all__ = ["STALL_TIMEOUT", "Body", "Interruption", "Patience", "Reply", "respond"]

STALL_TIMEOUT: Final = 60.0
_SECRET: Final = os.urandom(16)


class Interruption:
    """A block that can be ended from outside: `interrupt` cancels its task, and says at the end that it was this.

    As in `asyncio.timeout`, whoever else cancels the task meanwhile is not forgotten.
    """

    __slots__ = ("_cancelling", "_interrupted", "_loop", "_task")

    def __enter__(self) -> Self:
        self._loop, self._task = asyncio.get_running_loop(), cast("asyncio.Task[object]", asyncio.current_task())
        self._cancelling, self._interrupted = self._task.cancelling(), False
        return self

    def interrupt(self) -> None:
        """End the block; to be called once."""
        self._interrupted = self._task.cancel()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Whether it was `interrupt`, and nothing else, that ended the block."""
        if not self._interrupted:
            return False
        return self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError)


class Patience(Interruption):
    """End the block with `SendStalled` when nobody renews it for that many seconds.

    Renewing is an assignment: the timer looks only when it fires whether it is time. With `watch` it looks four times
    as often, and bytes that the client took are as good as a renewal.
    """

    __slots__ = ("_deadline", "_interval", "_progress", "_seconds", "_seen", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = self._interval = seconds
        self._progress: Callable[[], int] | None = None
        self._seen = 0

    def watch(self, progress: Callable[[], int]) -> None:
        """Have a function tell how much the client has taken, before the block is entered."""
        self._interval, self._progress = self._seconds / 4, progress

    def renew(self) -> None:
        """Begin the seconds anew."""
        self._deadline = self._loop.time() + self._seconds

    def rest(self) -> None:
        """Count no seconds until `renew`: it is not the client who is waited for."""
        self._deadline = math.inf

    def __enter__(self) -> Self:
        super().__enter__()
        self.renew()
        self._timer = self._loop.call_later(self._interval, self._look)
        return self

    def _look(self) -> None:
        if self._progress and self._seen != (seen := self._progress()):
            self._seen, self._deadline = seen, max(self._deadline, self._loop.time() + self._seconds)
        now = self._loop.time()
        if now < self._deadline:
            self._timer = self._loop.call_at(min(self._deadline, now + self._interval), self._look)
        else:
            self.interrupt()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> Literal[False]:
        self._timer.cancel()
        if super().__exit__(kind, error, trace):
            raise SendStalled(f"the client took nothing for {self._seconds:g} s") from None
        return False


class Body:
    """The pieces of an answer, as chunks of bytes; it owns its source and closes it.

        async with body as chunks:
            async for chunk in chunks:
                await send(chunk)

    To be read once. `SendStalled` when one chunk is held for `stall_timeout` seconds, `SourceError` when the source
    fails: in both cases the connection has to be closed short of the promised length. A source takes its time.

    `whole` is all of it, where it was at hand. `path` names the file whose content it is, where a server may send
    that by itself; it is good until `aclose`.
    """

    def __init__(self, pieces: tuple[Piece, ...], source: Source, *, stall_timeout: float) -> None:
        self._pieces = pieces
        self._source = source
        self._read: Callable[[ByteRange], AsyncGenerator[Any, None]] = source.read
        self.patience: Patience = Patience(stall_timeout)
        self.whole: bytes | None = _at_once(pieces, source)

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def __bool__(self) -> bool:
        return True

    @property
    def path(self) -> str | None:
        """The file to send whole, if it is one and only that."""
        size = self._source.representation.size
        if size and self._pieces == (ByteRange(0, size),) and isinstance(self._source, OnDisk):
            return self._source.path
        return None

    def lent(self, progress: Callable[[], int]) -> AbstractAsyncContextManager[AsyncIterator[bytes | Stretch]]:
        """Return what gives the chunks as the body does, but stretches of a file in the place of most.

        Those are large; so `progress` tells how much the client has taken meanwhile.
        """
        self.patience.watch(progress)
        if isinstance(self._source, OnDisk):
            self._read = self._source.lend
        return self

    async def __aenter__(self) -> AsyncIterator[bytes]:
        self._stack = AsyncExitStack()
        self._stack.enter_context(self.patience)
        self._stack.push_async_callback(self._source.aclose)
        return await self._stack.enter_async_context(aclosing(self._chunks()))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        for piece in (self.whole,) if self.whole is not None else self._pieces:
            if isinstance(piece, bytes):
                self.patience.renew()
                yield piece
                continue
            async with aclosing(self._read(piece)) as chunks:
                self.patience.rest()
                async for chunk in chunks:
                    self.patience.renew()
                    yield chunk
                    self.patience.rest()
                    # A `send` to a dead connection returns without suspending: nobody else would ever run.
                    await asyncio.sleep(0)

    def close_file(self) -> None:
        """Close the file that `path` names."""
        if isinstance(self._source, OnDisk):
            self._source.close()

    async def aclose(self) -> None:
        """Close the source of a body that is not going to be read."""
        await self._source.aclose()


def _at_once(pieces: tuple[Piece, ...], source: Source) -> bytes | None:
    """Return a small body whole when its source has it at hand."""
    if not pieces:
        return b""
    if sum(map(len, pieces)) > Pace.WHOLE or not isinstance(source, Prompt):
        return None
    parts = [piece if isinstance(piece, bytes) else source.read_at_once(piece) for piece in pieces]
    found = [part for part in parts if part is not None]
    return b"".join(found) if len(found) == len(parts) else None


class Reply(NamedTuple):
    """An answer to a request, ready to be sent."""

    status: int
    fields: tuple[Field, ...]
    body: Body


async def respond(
    request: RequestHead,
    source: Source,
    policy: Policy,
    *,
    selected: Representation | None = None,
    stall_timeout: float = STALL_TIMEOUT,
) -> Reply:
    """Answer a request with the source, which belongs to the reply from here on.

    `selected` describes the source where its own representation is not what is to be told.
    """
    policy = policy if policy.secret else replace(policy, secret=_SECRET)
    try:
        planned = plan(request, selected or source.representation, policy)
        body = Body(planned.pieces, source, stall_timeout=stall_timeout)
    except BaseException:
        await source.aclose()
        raise
    if body.whole is not None:
        await source.aclose()
    return Reply(planned.status, planned.fields, body)
