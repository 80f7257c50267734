"""The entry points: download one URL or many to files, or read one as a stream."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self, Unpack, cast
from weakref import WeakValueDictionary

import httpx

from ..errors import FetchError
from .alternates import fetch_any
from .checksum import Checksum
from .copies import FailureListener, RemoteCopy
from .decisions.retries import PATIENCE_SECONDS
from .disk.destination import Destination
from .http.body_stream import Deadline, MinSpeed
from .http.exchange import RESPONSE_SECONDS, Exchange
from .http.network import NetworkOptions
from .http.redirects import escaped_url
from .http.transport import new_client
from .job import Job
from .limits import TransferLimits
from .options import DownloaderOptions, DownloadOptions, FetchOptions
from .rate import RateLimit
from .reporter import ProgressListener, Result
from .response_stream import ResponseStream
from .severity import most_severe

__all__ = ["Downloader", "download"]


StrPath = str | os.PathLike[str]
_HOST_CONNECTIONS: Final = 6  # to one host, as browsers do


class Downloader:
    """Downloads over one pool of connections; an async context manager.

    Up to `connections` connections fetch one file at the same time if the server supports ranges. A failed request is
    repeated if that can help, up to `retries` times in a row without a new byte; `math.inf` is no limit. A server may
    ask to wait, for up to `patience` seconds. A download fails after `timeout` seconds. A response must begin within
    `response_timeout` seconds. A connection is given up if it brings fewer than `speed_floor` bytes per second over
    `stall_timeout` seconds. All downloads together have at most 6 connections to one host, or `connections` if that is
    more. All downloads together take at most `limit_rate` bytes per second. `headers` are sent to the origin of
    each URL, but not to another origin after a redirect. A redirect from https to http is refused unless
    `insecure_redirects` is set. An HTML page in place of a file like data.zip is a warning in the result, and an error
    if `strict` is set. `network` has the proxies, certificates, cookies and passwords. An httpx `client` of the caller
    is used unchanged, and not closed.

    Raises ValueError if `connections` is below 1 or `retries` is negative.
    """

    def __init__(  # noqa: PLR0913  # each is one line of a command's options
        self,
        *,
        connections: int = 4,
        retries: float = 5,
        patience: float = PATIENCE_SECONDS,
        timeout: float | None = None,
        response_timeout: float = RESPONSE_SECONDS,
        stall_timeout: float = 30.0,
        speed_floor: int = 1,
        limit_rate: int | None = None,
        headers: Sequence[tuple[str, str]] = (),
        insecure_redirects: bool = False,
        strict: bool = False,
        network: NetworkOptions = NetworkOptions(),  # noqa: B008  # it is immutable
        client: httpx.AsyncClient | None = None,
    ) -> None:
        if connections < 1 or retries < 0:
            raise ValueError("connections must be at least 1, and retries at least 0")
        self._connections = connections
        self._timeout = timeout
        self._response_timeout = response_timeout
        self._limits = TransferLimits(
            retries, MinSpeed(stall_timeout, speed_floor), RateLimit(limit_rate), patience, strict
        )
        self._slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._headers = tuple(headers)
        self._insecure_redirects = insecure_redirects
        self._network = network
        self._owns_client = client is None
        self._client = client

    async def __aenter__(self) -> Self:
        if self._owns_client:
            self._client = new_client(self._network)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owns_client and self._client:
            await self._client.aclose()
            self._client = None

    async def fetch(  # noqa: PLR0913  # each is one line of a command's options
        self,
        url: str,
        path: StrPath | None = None,
        *,
        directory: StrPath | None = None,
        checksum: str | None = None,
        overwrite: bool | None = None,
        resume: bool = True,
        continues: bool = False,
        timestamping: bool = False,
        dated: bool = True,
        mirrors: Sequence[str] = (),
        on_mirror_failure: FailureListener | None = None,
        on_progress: ProgressListener | None = None,
    ) -> Result:
        """Download to a file, and continue what an earlier run left there.

        The complete file replaces the one at `path`, or at the target of a link. Without `path`, the server names the
        file, it is put into `directory` (by default the working directory), and if the name is taken, a number is added
        to it. `overwrite` changes both: True always replaces, False never. `checksum` is like `sha256:HEX`; without it,
        the digest that the server sends is verified, if any. With `resume` False, existing files and parts are ignored.
        With `continues`, the part of another URL or program is continued too if the server proves its version. With
        `timestamping`, a file at `path` that has the size and time of the server's file is complete, wherever it is
        from. With `dated` False, the file gets the current time instead of Last-Modified.

        `mirrors` are further URLs of the same file. Its parts come from all of them at the same time if the sizes are
        equal and a digest is known, or if the sizes and the ETags or dates are equal. A server that fails or has
        another file is used no longer, and `on_mirror_failure` gets its URL and the error.

        `on_progress` is called on the event loop up to ten times per second; its errors end the download.

        Raises FetchError if the download fails, ValueError if the URL or the checksum is malformed, and whatever
        `on_progress` raises.
        """
        expected, url = Checksum.parse(checksum) if checksum else None, escaped_url(url)
        urls = (url, *map(escaped_url, mirrors))
        copies = [self._copy(each, on_mirror_failure, as_sent=expected is not None) for each in urls]

        async def run(copies: Sequence[RemoteCopy]) -> Result:
            destination = Destination(
                url,
                Path(path) if path is not None else None,
                Path(directory or "."),
                overwrite=overwrite,
                resume=resume,
                checksum=expected,
                continues=continues,
                timestamping=timestamping,
                dated=dated,
            )
            return await Job(copies, destination, self._limits, self._connections, expected, on_progress).run()

        async with copies[0].slots, Deadline(self._timeout).kept():
            return await fetch_any(copies, run)

    async def fetch_all(
        self,
        pairs: Iterable[tuple[str, StrPath | None]],
        *,
        limit: int = 4,
        on_progress: ProgressListener | None = None,
    ) -> list[Result | FetchError]:
        """Download each URL to its path, `limit` of them at the same time; return the results in order.

        `on_progress` gets the URL as `url` of the progress.

        If a download fails, its FetchError is returned in place of its result, and the others continue. Raises
        ValueError if `limit` is below 1 or a URL is malformed.
        """
        if limit < 1:
            raise ValueError("limit must be at least 1")
        slots = asyncio.Semaphore(limit)

        async def fetch_one(url: str, path: StrPath | None) -> Result | FetchError:
            async with slots:
                try:
                    return await self.fetch(url, path, on_progress=on_progress)
                except FetchError as error:
                    return error

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(fetch_one(url, path)) for url, path in pairs]
        except BaseExceptionGroup as errors:
            raise most_severe(errors) from None
        return [task.result() for task in tasks]

    @asynccontextmanager
    async def open(self, url: str, *, headers: Sequence[tuple[str, str]] = ()) -> AsyncIterator[ResponseStream]:
        """Read a resource as a stream over one connection, which is replaced when it breaks. Nothing is stored.

        `headers` are sent in addition to those of the downloader, by the same rules.

        The digest that the server sends is verified at the end, if any. The time that the reader takes between two
        chunks counts for `timeout`. Raises FetchError, here and while the stream is read, and ValueError if the URL is
        malformed.
        """
        stream = ResponseStream(self._exchange(url, headers), self._limits, url, timeout=self._timeout)
        try:
            await stream.start()
            yield stream
        finally:
            await stream.aclose()

    def _copy(self, url: str, on_failure: FailureListener | None, *, as_sent: bool) -> RemoteCopy:
        exchange = self._exchange(url, as_sent=as_sent)
        slots = self._slots.setdefault(exchange.host, asyncio.Semaphore(max(_HOST_CONNECTIONS, self._connections)))
        return RemoteCopy(url, exchange, slots, on_failure)

    def _exchange(self, url: str, headers: Sequence[tuple[str, str]] = (), *, as_sent: bool = False) -> Exchange:
        if self._client is None:
            raise RuntimeError("use a Downloader inside `async with`")
        return Exchange(
            self._client,
            url,
            headers=(*self._headers, *headers),
            insecure_redirects=self._insecure_redirects,
            stall=self._limits.min_speed.seconds,
            response_seconds=self._response_timeout,
            use_netrc=self._network.use_netrc,
            as_sent=as_sent,
        )


async def download(url: str, path: StrPath | None = None, **options: Unpack[DownloadOptions]) -> Result:
    """Download one URL. The options are those of `Downloader` and of `Downloader.fetch`."""
    names = FetchOptions.__annotations__
    of_fetch = cast("FetchOptions", {name: value for name, value in options.items() if name in names})
    of_downloader = cast("DownloaderOptions", {name: value for name, value in options.items() if name not in names})
    async with Downloader(**of_downloader) as downloader:
        return await downloader.fetch(url, path, **of_fetch)
