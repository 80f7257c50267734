"""Open paths: on the event loop if this does not wait, else in threads of the device to which the path leads."""

import asyncio
import os
from collections.abc import Callable
from typing import Final, NamedTuple

from .errors import SourceBusy
from .file_systems import is_local_path, remote_device, threads_of
from .source_events import timed
from .threads import MustWait, T, in_thread
from .timeouts import OPEN_TIMEOUT

__all__ = ["RecentPaths", "open_in_thread"]


_LEASE_SECONDS: Final = 5.0  # the kernel itself ends a lease after 45 s, /proc/sys/fs/lease-break-time
_LEASE_PAUSE_SECONDS: Final = 0.05


class RecentPaths:
    """Paths below `folder` that were opened a few seconds ago.

    The first opening of a path looks for directories and inodes on the disk, so it runs in a thread. For the next
    `_SECONDS` the kernel most likely has them cached, and the path is opened on the event loop, which is faster.
    Paths of file systems that are not local are always opened in threads.
    """

    __slots__ = ("_expiry", "_folder")

    _MOST: Final = 4096
    _SECONDS: Final = 30.0

    def __init__(self, folder: str = "") -> None:
        self._folder = folder
        self._expiry: dict[str, float] = {}  # in the event loop's time

    def __contains__(self, path: str) -> bool:
        return self._expiry.get(path, 0.0) > asyncio.get_running_loop().time()

    @timed("file")
    async def open(self, path: str, function: Callable[[], T], *, discard: Callable[[T], object]) -> T:
        """Run `function`, which opens the path. If the caller is cancelled, the result goes to `discard`.

        `function` raises MustWait if it cannot work without waiting. It is then run in a thread. If it also raises
        MustWait there, another program has a lease on the file; `function` is run again until the lease ends. Raises
        SourceBusy if the path is not open after `OPEN_TIMEOUT`, or if the lease does not end.
        """
        full = os.path.join(self._folder, path)
        if path in self and remote_device(full) is None:  # a link to another device may be there now
            try:
                return function()
            except MustWait:
                pass
        opened, is_local = await _open_unleased(
            full, lambda: (function(), _is_local(full)), discard=lambda result: discard(result[0])
        )
        if is_local:
            self._add(path)
        return opened

    def _add(self, path: str) -> None:
        if len(self._expiry) >= self._MOST:
            self._expiry.clear()
        self._expiry[path] = asyncio.get_running_loop().time() + self._SECONDS


async def _open_unleased(path: str, function: Callable[[], T], *, discard: Callable[[T], object]) -> T:
    """Run `function` in threads until it does not raise MustWait; no thread is in use between two tries."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _LEASE_SECONDS
    while True:
        try:
            return await open_in_thread(path, function, discard=discard)
        except MustWait:
            if loop.time() > deadline:
                raise SourceBusy(f"{path!r}: another program does not give up its lease on the file") from None
        await asyncio.sleep(_LEASE_PAUSE_SECONDS)


async def open_in_thread(path: str, function: Callable[[], T], *, discard: Callable[[T], object] = lambda _: None) -> T:
    """Run `function`, which opens an absolute path, in a thread of the device to which the path leads.

    If the caller is cancelled, the result of `function` goes to `discard`; if `function` has not begun, it is not
    called. Raises SourceBusy after `OPEN_TIMEOUT`, and at once if earlier work for this device has waited as long.
    """
    is_abandoned = False

    def run() -> T:
        if is_abandoned:
            raise TimeoutError
        return function()

    def run_if_near() -> T | _Remote:
        device = remote_device(path)
        return run() if device is None else _Remote(device)

    def discard_opened(result: T | _Remote) -> None:
        if not isinstance(result, _Remote):
            discard(result)

    try:
        async with asyncio.timeout(OPEN_TIMEOUT):
            result = await in_thread(run_if_near, discard=discard_opened)
            if not isinstance(result, _Remote):
                return result
            return await _in_thread_of(result.device, run, discard)
    except TimeoutError as error:
        raise SourceBusy(f"{path!r}: the file system did not respond within {OPEN_TIMEOUT:g} s") from error
    finally:
        is_abandoned = True


async def _in_thread_of(device: int, function: Callable[[], T], discard: Callable[[T], object]) -> T:
    threads = threads_of(device)
    if threads.is_stuck(OPEN_TIMEOUT):
        raise TimeoutError
    return await in_thread(function, discard=discard, executor=threads)


class _Remote(NamedTuple):
    """The device to which a path leads, if the path was not opened because it is not local."""

    device: int


def _is_local(path: str) -> bool:
    """Whether the file and its directory are on local file systems. A link may lead from one to the other."""
    return remote_device(path) is None and all(is_local_path(each) for each in (path, os.path.dirname(path)))
