"""Downloads to files: what is called for one URL, for many, or as a stream."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from ..errors import FetchError
from .checksum import Checksum
from .disk.destination import Destination
from .fetch import TransferLimits, most_severe
from .http.body_stream import Deadline, MinSpeed
from .http.exchange import Exchange
from .http.transport import new_client
from .job import Job
from .rate import Rate
from .reporter import ProgressListener, Result
from .response_stream import ResponseStream

__all__ = ["Downloader", "download"]


StrPath = str | os.PathLike[str]


class Downloader:
    """Downloads over one pool of connections; an async context manager.

    Up to `connections` fetch one file at the same time, once the server has proven that it does ranges. A failure that
    may pass is tried again, up to `retries` times without a new byte. One download may take `timeout` seconds; one
    connection has to bring `speed_floor` bytes per second over `stall_timeout` seconds. All downloads together take
    `limit_rate` bytes per second. `headers` are sent to the origin of each URL, and not where it redirects to;
    a redirect from https to http is refused but with `insecure_redirects`.

    A `client` of the caller's own is used as it is, and not closed.
    """

    def __init__(  # noqa: PLR0913  # each is one line of a command's options
        self,
        *,
        connections: int = 4,
        retries: int = 5,
        timeout: float | None = None,
        stall_timeout: float = 30.0,
        speed_floor: int = 1,
        limit_rate: int | None = None,
        headers: Sequence[tuple[str, str]] = (),
        insecure_redirects: bool = False,
        http2: bool = False,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        if connections < 1 or retries < 0:
            raise ValueError("it takes one connection at least, and no fewer than 0 retries")
        self._connections = connections
        self._timeout = timeout
        self._limits = TransferLimits(retries, MinSpeed(stall_timeout, speed_floor), Rate(limit_rate))
        self._headers = tuple(headers)
        self._insecure_redirects = insecure_redirects
        self._http2 = http2
        self._own = client is None
        self._client = client

    async def __aenter__(self) -> Self:
        if self._own:
            self._client = new_client(http2=self._http2)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own and self._client:
            await self._client.aclose()
            self._client = None

    async def fetch(
        self,
        url: str,
        path: StrPath | None = None,
        *,
        directory: StrPath | None = None,
        checksum: str | None = None,
        overwrite: bool = False,
        resume: bool = True,
        on_progress: ProgressListener | None = None,
    ) -> Result:
        """Download to a file, going on with what an earlier run has left there.

        The file at `path` is replaced when the new one is whole; of a link, the file that it leads to. Without a path
        the server names the file, which comes into `directory` (default: the working directory) and replaces another
        one but with `overwrite`. The `checksum` is like `sha256:HEX`; without one, a digest that the server tells is
        verified. Without `resume` nothing counts that is there.

        Raises FetchError, and ValueError when the URL or the checksum is none.
        """
        wanted = Checksum.parse(checksum) if checksum else None
        exchange = self._exchange(url)
        destination = Destination(
            url,
            Path(path) if path is not None else None,
            Path(directory or "."),
            overwrite=overwrite,
            resume=resume,
            checksum=wanted,
        )
        job = Job(exchange, destination, self._limits, self._connections, wanted, on_progress)
        async with Deadline(self._timeout).kept():
            return await job.run()

    async def fetch_all(
        self,
        pairs: Iterable[tuple[str, StrPath | None]],
        *,
        limit: int = 4,
        on_progress: ProgressListener | None = None,
    ) -> list[Result | FetchError]:
        """Download each URL to its path, `limit` at the same time; return in order what became of them.

        An error is a value here, so that the others go on; ValueError is raised all the same.
        """
        if limit < 1:
            raise ValueError("it takes one download at a time at least")
        room = asyncio.Semaphore(limit)

        async def fetched(url: str, path: StrPath | None) -> Result | FetchError:
            async with room:
                try:
                    return await self.fetch(url, path, on_progress=on_progress)
                except FetchError as error:
                    return error

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(fetched(url, path)) for url, path in pairs]
        except BaseExceptionGroup as errors:
            raise most_severe(errors) from None
        return [task.result() for task in tasks]

    @asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[ResponseStream]:
        """Read a resource as a stream, over one connection that is made again when it breaks; nothing is stored.

        A digest that the server tells is verified at the end. What the reader does between two chunks takes of the
        `timeout`, too. Raises FetchError, here and while the body is read, and ValueError when the URL is none.
        """
        body = ResponseStream(self._exchange(url), self._limits, url, timeout=self._timeout)
        try:
            await body.begin()
            yield body
        finally:
            await body.aclose()

    def _exchange(self, url: str) -> Exchange:
        if self._client is None:
            raise RuntimeError("a Downloader is used inside `async with`")
        return Exchange(
            self._client,
            url,
            headers=self._headers,
            insecure_redirects=self._insecure_redirects,
            stall=self._limits.min_speed.seconds,
        )


async def download(url: str, path: StrPath | None = None, **options: Any) -> Result:
    """Download one URL; the options are those of `Downloader` and of its `fetch`."""
    own = {"directory", "checksum", "overwrite", "resume", "on_progress"}
    fetching = {name: options.pop(name) for name in own & options.keys()}
    async with Downloader(**options) as downloader:
        return await downloader.fetch(url, path, **fetching)
