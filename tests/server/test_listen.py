"""Listening: the kinds of addresses, and the messages about wrong ones."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from async_downloads.server.addresses import urls_of
from async_downloads.server.listen import CannotServe, listen


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: the path of a socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(
    ("bind", "host"), [("127.0.0.1:0", "127.0.0.1"), ("localhost:0", "127.0.0.1"), ("[::1]:0", "[::1]")]
)
def test_an_address_is_listened_on_and_has_a_url(bind: str, host: str, secure: bool) -> None:
    with listen(bind, 60) as sock:
        port = sock.getsockname()[1]
        assert urls_of(sock, secure=secure) == [f"{'https' if secure else 'http'}://{host}:{port}/"]
        socket.create_connection((host.strip("[]"), port)).close()


def test_accepted_connections_inherit_the_stall_timeout() -> None:
    with listen("127.0.0.1:0", 2.5) as sock, socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2500


def test_a_port_without_permission_has_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied", address)

    monkeypatch.setattr(socket.socket, "bind", refused)
    with pytest.raises(CannotServe, match=r"Permission denied \(a port below 1024 may need root: use -p 8000\)$"):
        listen("127.0.0.1:80", 60)


def test_a_unix_socket_is_listened_on(folder: Path) -> None:
    with listen(f"unix:{folder}/socket", 60) as sock, socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{folder}/socket")
        assert urls_of(sock, secure=False) == [f"unix:{folder}/socket"]


def test_a_descriptor_is_listened_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as given, listen(f"fd://{given.detach()}", 60) as sock:
        socket.create_connection(sock.getsockname()).close()


def test_a_path_is_taken_over_only_from_a_stale_socket(folder: Path) -> None:
    path = folder / "socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with listen(f"unix:{path}", 60), pytest.raises(CannotServe, match="Address already in use"):
        listen(f"unix:{path}", 60)
    assert path.is_socket()


@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_a_file_that_is_not_a_socket_is_left_alone(folder: Path, kind: str) -> None:
    path, file = folder / "path", folder / "file"
    file.write_text("a year of work")
    path.symlink_to(file) if kind == "link" else path.mkdir() if kind == "directory" else file.rename(path)
    with pytest.raises(CannotServe, match=f"cannot listen on unix:{path}: "):
        listen(f"unix:{path}", 60)
    assert path.is_dir() if kind == "directory" else path.read_text() == "a year of work"


@pytest.mark.parametrize("bind", ["", ":", "8000", "host:", "127.0.0.1:-1", "127.0.0.1:99999", "fd://", "unix:"])
def test_an_invalid_address_is_refused(bind: str) -> None:
    with pytest.raises(CannotServe, match=f"cannot listen on {bind}: "):
        listen(bind, 60)
