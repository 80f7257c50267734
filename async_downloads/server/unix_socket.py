"""The file of a UNIX socket: its permissions, and its deletion if it is still the same file."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

__all__ = ["SocketFile", "mode_of_new_files", "remove_stale_socket"]


# Opening with O_PATH works for a socket. Until it is closed, no other file can get the same inode number.
_FLAGS: Final = getattr(os, "O_PATH", 0) | os.O_NOFOLLOW | os.O_CLOEXEC


class SocketFile:
    """The socket file that is at a path now. Raises FileNotFoundError if there is no file.

    Another server may later put its own socket at the path, for example in a rolling restart. `remove` does not delete
    that socket.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._status = os.lstat(path)
        self._fd = os.open(path, _FLAGS) if hasattr(os, "O_PATH") else -1

    @property
    def is_socket(self) -> bool:
        """Whether the file is a socket."""
        return stat.S_ISSOCK(self._status.st_mode)

    def remove(self) -> None:
        """Delete the file if it is a socket and still at its path, then forget it."""
        with suppress(OSError):
            if self.is_socket and os.path.samestat(self._status, os.lstat(self._path)):
                os.unlink(self._path)
        self.close()

    def close(self) -> None:
        """Forget the file. A second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def remove_stale_socket(path: str) -> None:
    """Delete the socket file of a process that has ended, and no other file. Raises OSError if a process listens."""
    try:
        found = SocketFile(path)
    except FileNotFoundError:
        return
    try:
        _check_refused(path)
        if not found.is_socket:  # the kernel also refuses connections to any other file
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        found.remove()  # if another server was faster, `bind` finds its socket
    finally:
        found.close()


def _check_refused(path: str) -> None:
    """Raise OSError unless connections to the path are refused."""
    with socket.socket(socket.AF_UNIX) as client, suppress(ConnectionRefusedError, FileNotFoundError):
        client.setblocking(False)
        with suppress(BlockingIOError):  # a process listens, and accepts no connection: it may have been stopped
            client.connect(path)
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


@contextmanager
def mode_of_new_files(mode: int | None) -> Iterator[None]:
    """Create files with these permissions in the block, so that they never have others. None changes nothing."""
    if mode is None:
        yield
        return
    before = os.umask(0o777 & ~mode)
    try:
        yield
    finally:
        os.umask(before)
