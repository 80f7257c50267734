"""The file of a UNIX socket: only its own server deletes it, and its mode is the one that was asked for."""

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from async_downloads.server.listen import listen
from async_downloads.server.unix_socket import SocketFile, remove_stale_socket


@pytest.fixture
def path() -> Iterator[Path]:
    """A short path: the path of a socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "socket"


def _stale(path: Path) -> None:
    """Leave a socket file behind, as a killed server does."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


def test_a_server_deletes_its_own_socket(path: Path) -> None:
    _stale(path)
    SocketFile(str(path)).remove()
    assert not path.exists()


@pytest.mark.parametrize("how", ["deleted", "renamed"])
def test_a_server_does_not_delete_the_socket_of_its_successor(path: Path, how: str) -> None:
    _stale(path)
    own = SocketFile(str(path))
    path.unlink() if how == "deleted" else path.rename(path.with_name("old"))
    _stale(path)
    own.remove()
    assert path.is_socket()


def test_a_file_that_has_replaced_the_socket_stays(path: Path) -> None:
    _stale(path)
    own = SocketFile(str(path))
    path.unlink()
    path.write_text("a year of work")
    own.remove()
    assert path.read_text() == "a year of work"


def test_without_a_file_there_is_nothing_to_delete(path: Path) -> None:
    _stale(path)
    own = SocketFile(str(path))
    path.unlink()
    own.remove()
    own.close()
    remove_stale_socket(str(path))
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_socket_has_the_mode_that_was_asked_for(path: Path, mode: int) -> None:
    umask = os.umask(0o022)
    try:
        with listen(f"unix:{path}", 60, unix_mode=mode):
            assert stat.S_IMODE(path.stat().st_mode) == mode
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(umask)


def test_without_a_mode_the_umask_counts(path: Path) -> None:
    umask = os.umask(0o027)
    try:
        with listen(f"unix:{path}", 60):
            assert stat.S_IMODE(path.stat().st_mode) == 0o750
    finally:
        os.umask(umask)


def test_a_server_that_accepts_no_connection_is_not_waited_for(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stopped, socket.socket(socket.AF_UNIX) as waiting:
        stopped.bind(str(path))
        stopped.listen(0)
        waiting.connect(str(path))
        with pytest.raises(OSError, match="in use"):
            remove_stale_socket(str(path))
    assert path.is_socket()
