"""What `put` reads: a file, a pipe or standard input, from where it stands to its end.

A regular file is always ready, and read in a thread. Anything else may keep us waiting for ever, and a thread that
waits cannot be stopped: so the event loop waits, and the thread only fetches what is there.
"""

import asyncio
import errno
import os
import stat
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import click

from ..threads import in_thread
from .messages import UsageRefused
from .options import STDIN

__all__ = ["Input", "opened"]


_CHUNK: Final = 1024 * 1024  # bytes for one thread; a pipe gives 64 KiB at a time
# A FIFO without a writer must not block the open, a terminal must not become ours, a child process must not inherit.
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Input:
    """Something open for reading; `size` is how many bytes there will be, None when nobody knows."""

    def __init__(self, path: Path, fd: int) -> None:
        status = os.fstat(fd)
        self.begun: bool = False
        self._path = path
        self._fd = fd
        self._regular = stat.S_ISREG(status.st_mode)
        self.size: int | None = max(status.st_size - os.lseek(fd, 0, os.SEEK_CUR), 0) or None if self._regular else None

    async def chunks(self, tell: Callable[[int], object]) -> AsyncGenerator[bytes, None]:
        """Yield all the bytes; `tell` is given the count of those that were taken. `ClickException` if that fails."""
        self.begun = True
        try:
            while chunk := await self._read():
                yield chunk
                tell(len(chunk))
        except OSError as error:
            raise click.ClickException(_unreadable(self._path, error)) from error

    async def _read(self) -> bytes:
        while True:
            await self._ready()
            with suppress(BlockingIOError):  # somebody else took what was there
                return await _in_thread(partial(os.read, self._fd, _CHUNK))

    async def _ready(self) -> None:
        """Return when a read will not wait."""
        if self._regular:
            return
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        try:
            loop.add_reader(self._fd, ready.set)
        except PermissionError:  # /dev/zero and the like: always ready, so that epoll takes none of them
            return
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._fd)


async def _in_thread(function: Callable[[], bytes]) -> bytes:
    """Run `function` in a thread, and wait for its end even when cancelled: the descriptor must outlive it."""
    pending = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(pending)
    finally:
        await asyncio.wait({pending})


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Input]:
    """Open a file, or standard input for `-`, until the end of the block. `UsageRefused` when it cannot be read."""
    try:
        fd = await in_thread(partial(_open, path), discard=os.close)
    except OSError as error:
        raise UsageRefused(_unreadable(path, error)) from error
    try:
        yield Input(path, fd)
    finally:
        os.close(fd)


def _open(path: Path) -> int:
    if path == STDIN and sys.__stdin__ is None:
        raise OSError(errno.EBADF, "it is closed")
    fd = os.dup(0) if path == STDIN else os.open(path, _FLAGS)
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return fd


def _unreadable(path: Path, error: OSError) -> str:
    what = "standard input" if path == STDIN else repr(str(path))
    return f"cannot read {what}: {error.strerror}"
