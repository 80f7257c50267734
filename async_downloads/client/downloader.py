"""The entry points: download one URL or many URLs to files, or read one URL as a stream."""

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
    """Downloads over one pool of connections. Use it as an async context manager.

    - `connections`: the number of connections for one file, if the server supports ranges (RFC 9110 §14). All downloads
      together use at most 6 connections to one host, or `connections` if that is more.
    - `retries`: how often in a row a failed request is repeated without new bytes; `math.inf` means no limit.
    - `patience`: the most seconds to wait without new bytes if the server asks for it (RFC 9110 §10.2.3, Retry-After).
    - `timeout`: the seconds for one whole download; None means no limit.
    - `response_timeout`: the seconds until a response must begin.
    - `speed_floor`, `stall_timeout`: a connection is replaced if it receives fewer than `speed_floor` bytes per second
      on average over `stall_timeout` seconds.
    - `limit_rate`: the bytes per second of all downloads together; None means no limit.
    - `headers`: sent to the origin of each URL, but not to another origin after a redirect.
    - `insecure_redirects`: follow a redirect from https to http, which is an error otherwise.
    - `strict`: an HTML page in place of a file like data.zip is an error; otherwise it is a warning in the result.
    - `network`: proxies, certificates, cookies and passwords.
    - `client`: an httpx client of the caller. It is used unchanged and not closed.

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
        """Download to a file. Continue the unfinished download of an earlier run, if there is one.

        - `path`: the complete file replaces the file at this path, or at its target if it is a link. Without `path`,
          the server names the file (RFC 6266 §4.3), and a number is added if the name is taken.
        - `directory`: the folder for a file without `path`; by default the working directory.
        - `checksum`: the digest to verify, such as `sha256:HEX`. Without it, the digest that the server sends is
          verified, if there is one (RFC 9530).
        - `overwrite`: True always replaces an existing file, False never does. None decides as `path` says.
        - `resume`: False ignores existing files and parts.
        - `continues`: the part of another URL or program is continued too, if the server proves its version.
        - `timestamping`: a file at `path` with the size and the time of the server's file counts as complete.
        - `dated`: False gives the file the current time instead of Last-Modified.
        - `mirrors`: further URLs of the same file. Parts come from all servers at the same time if the sizes are equal
          and a digest is known, or if the sizes and the ETags or dates are equal.
        - `on_mirror_failure`: gets the URL and the error of a server that fails or has a different file, and so is no
          longer used.
        - `on_progress`: gets a `Progress`, on the event loop, up to ten times per second. Its errors end the download.

        Raises FetchError if the download fails, ValueError if the URL or the checksum is malformed, and any error that
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
        """Download each URL to its path, `limit` of them at the same time. Return the results in order.

        `on_progress` finds the URL in the attribute `url` of the progress.

        If a download fails, its FetchError is returned in place of its result, and the other downloads continue. Raises
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
        """Read a resource as a stream of bytes over one connection. If it breaks, another connection continues.

        Nothing is stored. `headers` are sent in addition to the headers of the downloader, by the same rules.

        If the server sends a digest (RFC 9530), it is verified at the end. The time that the reader needs between two
        chunks counts for `timeout`. Raises FetchError, both here and while the stream is read, and ValueError if the
        URL is malformed.
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
    """Download one URL to a file. The options and the errors are those of `Downloader` and `Downloader.fetch`."""
    names = FetchOptions.__annotations__
    of_fetch = cast("FetchOptions", {name: value for name, value in options.items() if name in names})
    of_downloader = cast("DownloaderOptions", {name: value for name, value in options.items() if name not in names})
    async with Downloader(**of_downloader) as downloader:
        return await downloader.fetch(url, path, **of_fetch)
