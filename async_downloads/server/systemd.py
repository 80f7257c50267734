"""The protocol between a service and systemd: sd_notify(3), and the sockets that systemd opens (sd_listen_fds(3))."""

import os
import socket
from contextlib import suppress
from typing import Final, Self

__all__ = ["ServiceManager", "take_inherited_sockets"]


_FIRST_FD: Final = 3  # of the sockets that systemd passes
_COUNT_DIGITS: Final = 4  # of their number; each of them is looked at, so a wrong number could take hours


class ServiceManager:
    """Reports the state of this process to the service manager that has started it.

    States: starting, ready, stopping; each is reported once. A report is one datagram, and is lost if the manager's
    socket is full or missing, so that it never blocks. `watchdog_seconds` is the longest time between two calls of
    `alive`: half of the time after which systemd kills the service. It is None if systemd does not watch this process.
    """

    def __init__(self, address: str | None = None, watchdog_seconds: float | None = None) -> None:
        self.watchdog_seconds: float | None = watchdog_seconds
        self._address = f"\0{address[1:]}" if address and address[0] == "@" else address  # "@" is an abstract name
        self._reported: set[str] = set()

    @classmethod
    def from_environment(cls) -> Self:
        """Return the manager that the variables name, and remove them: programs that an app starts must not report."""
        address = os.environ.pop("NOTIFY_SOCKET", None)
        microseconds, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        is_watched = address and microseconds.isdecimal() and int(microseconds) and pid in {"", str(os.getpid())}
        return cls(address, int(microseconds) / 2_000_000 if is_watched else None)

    @property
    def is_there(self) -> bool:
        """Whether there is a manager that wants reports."""
        return self._address is not None

    @property
    def is_ready(self) -> bool:
        """Whether `ready` was called."""
        return "READY=1" in self._reported

    def ready(self) -> None:
        """Report that connections are accepted."""
        self._report_once("READY=1")

    def stopping(self) -> None:
        """Report that the server drains."""
        self._report_once("STOPPING=1")

    def alive(self) -> None:
        """Report that the server works, if the manager watches it."""
        if self.watchdog_seconds is not None:
            self._report("WATCHDOG=1")

    def _report_once(self, state: str) -> None:
        if state not in self._reported:
            self._reported.add(state)
            self._report(state)

    def _report(self, state: str) -> None:
        if self._address is None:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(state.encode(), self._address)


def take_inherited_sockets() -> tuple[str, ...]:
    """Return the addresses of the sockets that systemd has opened for this process, in the form of `--bind`.

    The variables that name the sockets are removed, because they are not for programs that an app starts.
    """
    count, pid = os.environ.pop("LISTEN_FDS", ""), os.environ.pop("LISTEN_PID", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal() or len(count) > _COUNT_DIGITS:
        return ()
    fds = range(_FIRST_FD, _FIRST_FD + int(count))
    for fd in fds:
        with suppress(OSError):
            os.set_inheritable(fd, False)
    return tuple(f"fd://{fd}" for fd in fds)
