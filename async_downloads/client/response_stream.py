"""The bytes of a resource as an async iterator over one connection. If it breaks, another connection continues."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from random import Random
from typing import Self

import httpx

from ..errors import BadResponse, NetworkError, RemoteChanged, Stalled
from ..semantics.representation import Validators
from .checksum import WANT_DIGEST, Checksum, DigestCheck, expected_digest, expected_digest_of_part
from .decisions.page import unexpected_page
from .decisions.response import classify_response, refuse_tiny_part
from .decisions.retries import RetryBudget, TransientError
from .decisions.verdict import (
    ErrorStatus,
    Full,
    NothingLeft,
    Partial,
    RangeRequest,
    ResponseHead,
    UnusableRange,
    VersionChanged,
)
from .decisions.version import UNKNOWN, RemoteVersion, is_page
from .disk.names import file_name
from .http.body_stream import Deadline, body_stream
from .http.exchange import Exchange
from .limits import TransferLimits

__all__ = ["ResponseStream"]


class ResponseStream(AsyncIterator[bytes]):
    """The bytes of one version of a resource, in order, each byte once. `Downloader.open` makes and closes it.

    Its states::

        new        `start` has not returned: `size` is None, and `name` comes from the URL.
        reading    The body of a response is open, from `_position` on.
        broken     The connection broke. After a wait, a range request continues at `_position` if the version has a
                   strong validator; otherwise the error is raised.
        ended      All bytes were read and the digest is right, or an error was raised, or `aclose` was called.

    Iterating raises RemoteChanged if another version replaces this one on the server. It raises the error that broke
    the connection if there is no strong validator. It raises DigestMismatch if a part, or at the end the whole, does
    not have the digest that the server sent. It raises DeadlineExceeded if not all bytes are read within `timeout`
    seconds.
    """

    def __init__(self, exchange: Exchange, limits: TransferLimits, url: str, *, timeout: float | None = None) -> None:
        self.name: str = file_name(None, url)
        """A safe name for a file with these bytes."""
        self.url: str = url
        """The URL of the response, after redirects. It may contain a password or a signature."""
        self.media_type: str = ""
        """The Content-Type field of the response; "" if it has none."""
        self.coding: str | None = None
        """The content coding that is removed from the bytes; None if there is none."""
        self.warning: str = ""
        """What is unusual about the bytes; "" if there is nothing to say. With `strict`, this is an error."""
        self._exchange = exchange
        self._limits = limits
        self._url = url
        self._deadline = Deadline(timeout)
        self._version: RemoteVersion | None = None
        self._position = self._attempt_start = 0
        self._plain = self._is_slow = self._is_closed = False
        self._connection = AsyncExitStack()
        self._body: AsyncGenerator[bytes]
        self._sent: RangeRequest
        self._verdict: Full | Partial
        self._reader = self._read()
        self._retry_budget = RetryBudget(limits.retries, limits.patience)
        self._digest_check = DigestCheck()
        self._random = Random()  # noqa: S311  # it keeps no secret

    @property
    def size(self) -> int | None:
        """The size of the resource in bytes; None if the server has not sent it."""
        return self._version.total if self._version else None

    @property
    def validators(self) -> Validators:
        """The ETag and the date of this version (RFC 9110 §8.8)."""
        return (self._version or UNKNOWN).validators

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._is_closed:  # the end of the iteration would look like the end of the file
            raise RuntimeError("read the stream inside `async with`: it is closed now")
        async with self._deadline.kept():
            return await anext(self._reader)

    async def aclose(self) -> None:
        """Release the connection. After that, reading raises RuntimeError."""
        self._is_closed = True
        await self._reader.aclose()
        await self._connection.aclose()

    async def start(self) -> None:
        """Wait for the first response. Raises FetchError."""
        async with self._deadline.kept():
            await self._connect()

    async def _read(self) -> AsyncGenerator[bytes]:
        while True:
            try:
                async with aclosing(self._body) as chunks:
                    async for chunk in chunks:
                        await self._limits.rate.consume(len(chunk))
                        self._position += len(chunk)
                        self._digest_check.add(chunk)
                        self._retry_budget.note_held(self._position)
                        yield chunk
                if self._position >= (self.size or 0):
                    self._digest_check.verify()
                    return
                refuse_tiny_part(self._sent, self._verdict)
            except TransientError as transient_error:
                await self._back_off(transient_error)
            await self._connect()

    async def _connect(self) -> None:
        """Request the bytes from `_position` on, again and again until a response has them."""
        while True:
            try:
                if await self._request():
                    return
            except TransientError as transient_error:
                await self._back_off(transient_error)

    async def _back_off(self, transient_error: TransientError) -> None:
        """Wait before the next request. Raises an error if the retries are used up or the bytes cannot be continued."""
        if self._version and not self._version.resumable:
            raise transient_error.error
        self._is_slow |= isinstance(transient_error.error, Stalled)
        received, jitter = self._position - self._attempt_start, self._random.random()
        await asyncio.sleep(self._retry_budget.wait(transient_error, received=received, jitter=jitter))

    async def _request(self) -> bool:
        """Open the next response. Return False if the caller must request again at once, without unusual fields."""
        await self._connection.aclose()
        self._attempt_start = self._position
        is_part = self._version is not None and not self._plain
        request = RangeRequest.for_part(self._version, self._position) if is_part else RangeRequest()
        fields = WANT_DIGEST if self._version is None and not self._plain else request.fields
        is_quick = is_part and not self._is_slow
        response = await self._connection.enter_async_context(self._exchange.get(fields, is_quick=is_quick))
        head = self._exchange.head(response)
        match classify_response(request, self._version, head):
            case Full(version, length) as full:
                self._sent, self._verdict = request, full
                self._note_first_response(response, head, full)
                self._body = _skip(self._position, self._open_body(response, length, coding=version.coding))
            case Partial(version) as part:
                self._sent, self._verdict = request, part
                self._body = self._open_body(response, part.length, expected=expected_digest_of_part(head, part))
            case NothingLeft(version):  # the previous body was read to its end, although its connection then broke
                pass
            case UnusableRange(reason, is_final):
                self._plain = is_final
                raise TransientError(BadResponse(reason))
            case VersionChanged():
                raise RemoteChanged("the file on the server was replaced while it was being read")
            case ErrorStatus() as status:
                if self._plain or not status.refuses_fields:
                    await self._fail(status)
                self._plain = True
                return False
        self._version, self._plain = version, False
        return True

    async def _fail(self, status: ErrorStatus) -> None:
        """Raise the error of a response inside its exchange, which adds the reason from the body."""
        async with self._connection.pop_all():
            raise status.exception

    def _note_first_response(self, response: httpx.Response, head: ResponseHead, full: Full) -> None:
        if self._version is None:
            self.url, self.media_type = str(response.url), head.fields.get("content-type", "")
            self.coding = full.version.coding
            disposition = head.fields.get("content-disposition")
            self.name = file_name(disposition, self._url, self.url, is_page=is_page(head.fields))
            self._check_page(head)
            self._digest_check = DigestCheck(expected_digest(head, full))

    def _check_page(self, head: ResponseHead) -> None:
        self.warning = unexpected_page((self.name, self._exchange.name), head.fields) or ""
        if self.warning and self._limits.strict:
            raise BadResponse(self.warning)

    def _open_body(
        self,
        response: httpx.Response,
        length: int | None,
        *,
        coding: str | None = None,
        expected: Checksum | None = None,
    ) -> AsyncGenerator[bytes]:
        return body_stream(response, length=length, coding=coding, min_speed=self._limits.min_speed, expected=expected)


async def _skip(count: int, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the bytes after the first `count`. Raises TransientError if there are fewer than `count`."""
    async with aclosing(chunks):
        async for chunk in chunks:
            if rest := chunk[count:]:
                yield rest
            count = max(count - len(chunk), 0)
    if count:
        raise TransientError(NetworkError(f"the connection ended {count} bytes before the end of an earlier one"))
