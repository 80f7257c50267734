"""The protocol with systemd: reports of the state, and sockets that systemd has opened."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from async_downloads.server.metrics import ACCEPTS, BEAT, CONNECTIONS, PAGE_SIZE
from async_downloads.server.monitor import WorkersMonitor
from async_downloads.server.shared_pages import SharedPages
from async_downloads.server.systemd import ServiceManager, take_inherited_sockets


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Where the manager listens."""
    return str(tmp_path / "notify")


@pytest.fixture
def manager(address: str) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(address)
        manager.setblocking(False)
        yield manager


def _reports(manager: socket.socket) -> list[str]:
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(manager.recv(100).decode())
    return found


def test_states_are_reported_once_and_life_each_time(manager: socket.socket, address: str) -> None:
    service = ServiceManager(address, 5.0)
    for report in (service.ready, service.ready, service.alive, service.alive, service.stopping, service.stopping):
        report()
    assert _reports(manager) == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


def test_without_a_watchdog_nothing_says_that_the_service_is_alive(manager: socket.socket, address: str) -> None:
    ServiceManager(address).alive()
    assert _reports(manager) == []


def test_a_full_or_missing_socket_costs_nothing(manager: socket.socket, address: str) -> None:
    service = ServiceManager(address, 5.0)
    for _ in range(5_000):  # more than a queue takes
        service.alive()
    assert 0 < len(_reports(manager)) < 5_000
    os.unlink(address)
    service.alive()
    ServiceManager("/" + "a" * 500).ready()  # no address is that long
    assert _reports(manager) == []


@pytest.mark.parametrize(
    ("variables", "is_there", "seconds"),
    [
        pytest.param({}, False, None, id="no manager"),
        pytest.param({"NOTIFY_SOCKET": "/a"}, True, None, id="no watchdog"),
        pytest.param({"NOTIFY_SOCKET": "/a", "WATCHDOG_USEC": "20000000"}, True, 10.0, id="half of the time"),
        pytest.param({"NOTIFY_SOCKET": "/a", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}, True, None, id="of another"),
        pytest.param({"NOTIFY_SOCKET": "/a", "WATCHDOG_USEC": "0"}, True, None, id="off"),
        pytest.param({"NOTIFY_SOCKET": "/a", "WATCHDOG_USEC": "soon"}, True, None, id="no number"),
        pytest.param({"WATCHDOG_USEC": "20000000"}, False, None, id="watchdog alone"),
    ],
)
def test_the_variables_name_the_manager_and_are_removed(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], is_there: bool, seconds: float | None
) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    service = ServiceManager.from_environment()
    assert (service.is_there, service.watchdog_seconds) == (is_there, seconds)
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & os.environ.keys()


@pytest.mark.parametrize(
    ("count", "pid", "binds"),
    [
        pytest.param("2", str(os.getpid()), ("fd://3", "fd://4"), id="two"),
        pytest.param("2", "1", (), id="for another process"),
        pytest.param("many", str(os.getpid()), (), id="no number"),
        pytest.param("9" * 12, str(os.getpid()), (), id="more than a process has"),
        pytest.param("", "", (), id="none"),
    ],
)
def test_inherited_sockets_begin_at_the_third_descriptor(
    monkeypatch: pytest.MonkeyPatch, count: str, pid: str, binds: tuple[str, ...]
) -> None:
    monkeypatch.setattr(os, "set_inheritable", lambda fd, inheritable: None)  # they are pytest's own descriptors here
    for name, value in (("LISTEN_FDS", count), ("LISTEN_PID", pid), ("LISTEN_FDNAMES", "a:b")):
        monkeypatch.setenv(name, value)
    assert take_inherited_sockets() == binds
    assert not {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} & os.environ.keys()


def test_a_parent_reports_life_only_if_all_workers_were_seen_lately(manager: socket.socket, address: str) -> None:
    pages = SharedPages(2, PAGE_SIZE)
    monitor = WorkersMonitor(pages, ServiceManager(address, 10.0))
    for worker in range(2):
        monitor.reset(worker)
    monitor.look(range(2))
    assert _reports(manager) == ["WATCHDOG=1"]  # new workers have time to start
    assert monitor.wait_seconds(2.0) == pytest.approx(0.1)
    pages[1][ACCEPTS] = 1
    monitor.look(range(2))
    assert _reports(manager) == ["READY=1", "WATCHDOG=1"]
    assert monitor.wait_seconds(2.0) == 2.0
    pages[0][BEAT] = time.monotonic() - 11
    monitor.look(range(2))
    assert _reports(manager) == []
    monitor.look([])
    assert _reports(manager) == []
    pages[0][CONNECTIONS] = 5
    monitor.reset(0)
    assert pages[0][CONNECTIONS] == 0
    monitor.look(range(2))
    monitor.stopping()
    assert _reports(manager) == ["WATCHDOG=1", "STOPPING=1"]
