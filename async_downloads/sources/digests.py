"""SHA-256 digests of files. They are computed once for each version, in a few threads, and remembered.

    unknown ── `wanted` ──> hashing ── end of the file ──> known
                 ^             └── no request waits for it ──> paused: the hash so far is kept
                 └───────── `wanted` again ──────────────────────┘

All requests for one version share its work, and all workers share the digests. A thread hashes 16 MiB of one file, then
16 MiB of the next file. Each device has its own threads, so that a disk that does not respond delays no other disk.
"""

import asyncio
import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Final

from ..threads import DaemonThreads, lower_priority
from .opening import map_read_errors, pack_version
from .shared_digests import SharedDigests
from .stated_digests import stated_digest

__all__ = ["NO_BYTES", "Hashing", "hashing_of", "known_digest", "remember_digest"]


NO_BYTES: Final = hashlib.sha256().digest()  # the digest of an empty file
_MAX_BYTES: Final = 16 * 1024 * 1024
_ENTRY_BYTES: Final = 256  # memory of one entry: a version and its digest
_MAX_UNFINISHED: Final = 256  # files, each with one open descriptor while it is hashed
_MAX_THREADS: Final = 2  # of one device
_TURN_BYTES: Final = 16 * 1024 * 1024
_CHUNK_BYTES: Final = 256 * 1024  # fits into a processor's cache
# File systems count time in ticks. A file that changed a moment ago can change again and keep its time.
_CLOCK_TICK_NS: Final = 50_000_000
_lock: Final = threading.Lock()  # protects the three tables
_shared: Final = SharedDigests()  # made before workers are forked
_known: "Final[OrderedDict[bytes, bytes]]" = OrderedDict()  # digests by version, the least recently used first
_unfinished: "Final[OrderedDict[bytes, Hashing]]" = OrderedDict()  # by version
_threads: "Final[dict[int, DaemonThreads]]" = {}  # by device


def known_digest(version: bytes | None) -> bytes | None:
    """Return the digest of a version, as `pack_version` makes it; None if it is not known."""
    if version is None:
        return None
    with _lock:
        if digest := _known.get(version):
            _known.move_to_end(version)
            return digest
    if digest := _shared.get(version):
        _remember(version, digest)
    return digest


def remember_digest(status: os.stat_result, digest: bytes) -> None:
    """Remember the digest of a file with this status. A file that has just changed could change again with the same
    status, so its digest is not remembered.
    """
    version = pack_version(status)
    if version and time.time_ns() - status.st_ctime_ns >= _CLOCK_TICK_NS:
        _remember(version, digest)


def _remember(version: bytes, digest: bytes) -> None:
    _shared.put(version, digest)
    with _lock:
        _known[version] = digest
        _known.move_to_end(version)
        while len(_known) * _ENTRY_BYTES > _MAX_BYTES:
            _known.popitem(last=False)


class Hashing:
    """The work on one version of a file. `wanted` counts the callers; threads hash the file while there are callers."""

    def __init__(self, version: bytes, status: os.stat_result, path: str) -> None:
        self._version = version
        self._status = status
        self._path = path
        self._sha256 = hashlib.sha256()
        self._offset = 0
        self._fd = -1
        self._wanted = 0
        self._is_running = False
        self._result: Future[bytes | None] = Future()
        self._results: dict[asyncio.AbstractEventLoop, asyncio.Future[bytes | None]] = {}  # one for all callers
        self._result.set_running_or_notify_cancel()  # so a caller that stops waiting does not cancel the work

    @contextmanager
    def wanted(self, fd: int) -> Iterator[None]:
        """Hash the file that is open as `fd`, until its end or the end of the block."""
        with _lock, map_read_errors(self._path):
            if not self._is_running and not self._result.done():
                self._fd = os.dup(fd)
                self._is_running = True
                threads = _threads.setdefault(self._status.st_dev, DaemonThreads(_MAX_THREADS))
                threads.submit(self._take_turn, threads)
            self._wanted += 1  # the thread reads it while it holds the lock
        try:
            yield
        finally:
            with _lock:
                self._wanted -= 1

    async def digest(self, seconds: float) -> bytes | None:
        """Return the digest as soon as it is known; None if it is unknown after `seconds` or the file changed."""
        loop = asyncio.get_running_loop()
        if (result := self._results.get(loop)) is None:
            result = self._results[loop] = asyncio.wrap_future(self._result)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(result)
        except TimeoutError:
            return None

    def _take_turn(self, threads: DaemonThreads) -> None:
        lower_priority()
        digest, is_over = None, True
        with suppress(OSError):
            digest, is_over = self._advance()
        with _lock:
            if not is_over and self._wanted:
                threads.submit(self._take_turn, threads)
                return
            self._is_running = False
            fd, self._fd = self._fd, -1
            if is_over:
                _unfinished.pop(self._version, None)
        os.close(fd)
        if is_over:
            if digest:
                _remember(self._version, digest)
            self._result.set_result(digest)

    def _advance(self) -> tuple[bytes | None, bool]:
        """Hash the next bytes. Return the digest (None if it is unknown), and whether the work is over."""
        if not self._offset:
            age = time.time_ns() - self._status.st_ctime_ns
            time.sleep(max(0, _CLOCK_TICK_NS - max(0, age)) / 10**9)
            if stated := stated_digest(self._path, self._fd, self._status):
                return stated, True
        if known := known_digest(self._version):  # another worker has hashed the file
            return known, True
        stop = min(self._offset + _TURN_BYTES, self._status.st_size)
        while self._offset < stop:
            chunk = os.pread(self._fd, min(_CHUNK_BYTES, stop - self._offset), self._offset)
            if not chunk:
                return None, True
            self._sha256.update(chunk)
            self._offset += len(chunk)
        if self._offset < self._status.st_size:
            return None, False
        is_same = pack_version(os.fstat(self._fd)) == self._version
        return (self._sha256.digest() if is_same else None), True


def hashing_of(status: os.stat_result, path: str) -> Hashing | None:
    """Return the work on a file that was opened at `path`; None if another version could look the same.

    If there are too many unfinished files, a paused one is forgotten. If none is paused, return None.
    """
    version = pack_version(status)
    if version is None:
        return None
    with _lock:
        found = _unfinished.get(version)
        if found is None and (len(_unfinished) < _MAX_UNFINISHED or _forget_paused()):
            found = _unfinished[version] = Hashing(version, status, path)
        return found


def _forget_paused() -> bool:
    paused = next((version for version, each in _unfinished.items() if not each._is_running and not each._wanted), None)
    if paused is not None:
        del _unfinished[paused]
    return paused is not None
