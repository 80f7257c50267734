"""The input of `put`: a file, a pipe or standard input, from its current position to its end.

A thread reads a regular file, because such a read never blocks for long. A read from a pipe or a terminal may block for
ever, and a blocked thread cannot be stopped: so the event loop waits until there are bytes, and only then a thread
reads them.
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

from ..threads import await_shielded, in_thread
from .messages import CannotRun, print_error
from .options import STDIN

__all__ = ["Input", "open_input"]


_SILENT_SECONDS: Final = 5.0  # a program that writes to a pipe may need a moment to start
_CHUNK_BYTES: Final = 1024 * 1024  # of one read; a pipe gives 64 KiB
# Opening a FIFO must not block. A terminal must not become the controlling terminal. Child processes must not inherit
# the descriptor.
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Input:
    """An open input. `size` is its length in bytes, None if it is unknown; `begun` is true after the first read."""

    def __init__(self, path: Path, fd: int) -> None:
        status = os.fstat(fd)
        self.begun: bool = False
        self._path = path
        self._fd = fd
        self._regular = stat.S_ISREG(status.st_mode)
        self._has_writer_missing = stat.S_ISFIFO(status.st_mode) and path != STDIN  # until its first bytes come
        self.size: int | None = max(status.st_size - os.lseek(fd, 0, os.SEEK_CUR), 0) or None if self._regular else None

    async def chunks(self, report: Callable[[int], object]) -> AsyncGenerator[bytes, None]:
        """Yield all bytes; `report` gets the length of each used chunk. Raises ClickException if a read fails."""
        self.begun = True
        try:
            while chunk := await self._read():
                yield chunk
                report(len(chunk))
        except OSError as error:
            raise click.ClickException(_unreadable(self._path, error)) from error

    async def _read(self) -> bytes:
        while True:
            await self._ready()
            with suppress(BlockingIOError):  # another reader of the pipe was faster
                # The descriptor must stay open until the thread has left it.
                chunk = await await_shielded(in_thread(partial(os.read, self._fd, _CHUNK_BYTES)))
                self._has_writer_missing = False
                return chunk

    async def _ready(self) -> None:
        """Wait until a read does not block."""
        if self._regular:
            return
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        try:
            loop.add_reader(self._fd, ready.set)
        except PermissionError:  # epoll refuses devices such as /dev/zero, which are always ready
            return
        notice = loop.call_later(_SILENT_SECONDS, self._say_what_is_missing)
        try:
            await ready.wait()
        finally:
            notice.cancel()
            loop.remove_reader(self._fd)

    def _say_what_is_missing(self) -> None:
        """Print a line, once: without a program that writes to a named pipe, the command waits for ever."""
        if self._has_writer_missing:
            self._has_writer_missing = False
            print_error(f"{str(self._path)!r} is a pipe: waiting for a program to write to it")


@asynccontextmanager
async def open_input(path: Path) -> AsyncIterator[Input]:
    """Open a file, or standard input for `-`, until the end of the block. Raises CannotRun if it cannot be read."""
    try:
        fd = await in_thread(partial(_open, path), discard=os.close)
    except OSError as error:
        raise CannotRun(_unreadable(path, error)) from error
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
    name = "standard input" if path == STDIN else repr(str(path))
    if isinstance(error, IsADirectoryError):
        return f"{name} is a folder: name the files in it"
    return f"cannot read {name}: {error.strerror}"
