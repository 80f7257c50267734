"""A long-distance line in user space: delay, loss and a limited rate between this machine and a network namespace.

Each end of the line is a TUN device: an interface whose packets this program reads and writes. It works like `tc
netem`, which the kernels of many virtual machines do not have. A packet waits until the line has sent the earlier ones
at its rate, then for half of the round trip. Packets that would wait longer than the buffer of the line are dropped.
"""

import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections import deque
from typing import Final

from benchmarks.load.companion import LONGEST, say

__all__ = ["CLIENT", "SERVER", "Direction"]

# RFC 2544 keeps these addresses for benchmarks.
SERVER: Final = "198.18.0.1"
CLIENT: Final = "198.18.0.2"
NETWORK: Final = "198.18.0.0/30"
RATE: Final = 100e6 / 8  # bytes per second
BUFFER: Final = 0.1  # seconds of packets that wait for the line
PACKET: Final = 65536  # bytes; more than any packet has
QUEUE: Final = 10_000  # packets that the kernel keeps until this program reads them
STDIN: Final = 0
SEED: Final = 2544  # the same losses for every server
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h


class Direction:
    """One direction of the line: reads packets from ``source`` and writes them to ``target`` later, or drops them."""

    def __init__(self, source: int, target: int, *, delay: float, loss: float) -> None:
        self._source, self._target = source, target
        self._delay, self._loss = delay, loss
        self._random = random.Random(SEED)
        self._free = 0.0  # when the line has sent all accepted packets
        self._packets: deque[tuple[float, bytes]] = deque()

    @property
    def due(self) -> float | None:
        """Return when the next packet arrives, or None if no packet is on the line."""
        return self._packets[0][0] if self._packets else None

    def accept(self) -> None:
        """Read the packets that have come."""
        try:
            while True:
                self._accept(os.read(self._source, PACKET), time.monotonic())
        except BlockingIOError:
            pass

    def _accept(self, packet: bytes, now: float) -> None:
        begin = max(now, self._free)
        if begin - now <= BUFFER and self._random.random() >= self._loss:
            self._free = begin + len(packet) / RATE
            self._packets.append((self._free + self._delay, packet))

    def deliver(self, now: float) -> None:
        """Write the packets that have arrived."""
        while self._packets and self._packets[0][0] <= now:
            os.write(self._target, self._packets.popleft()[1])


def _tun(name: str) -> int:
    """Create a TUN device, which exists until its descriptor is closed."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=10)


def _connect(namespace: str, near: str, far: str) -> None:
    """Give both devices their addresses; the far one moves into the namespace.

    The server uses CUBIC, the default of Linux, even if this machine has another default.
    """
    _ip("link", "set", far, "netns", namespace)
    for device, address, place in ((near, SERVER, ()), (far, CLIENT, ("-n", namespace))):
        _ip(*place, "address", "add", f"{address}/30", "dev", device)
        _ip(*place, "link", "set", device, "up", "txqueuelen", str(QUEUE))
    _ip("route", "replace", NETWORK, "dev", near, "src", SERVER, "congctl", "cubic")


def _run(directions: dict[int, Direction]) -> None:
    """Carry packets until the standard input ends."""
    end = time.monotonic() + LONGEST
    while (now := time.monotonic()) < end:
        times = [each.due for each in directions.values() if each.due is not None]
        wait = max(0.0, min(times, default=now + 1) - now)
        readable = select.select([STDIN, *directions], [], [], wait)[0]  # precise to microseconds, unlike epoll
        if STDIN in readable:
            return
        for source in readable:
            directions[source].accept()
        for each in directions.values():
            each.deliver(time.monotonic())


def _main(namespace: str, round_trip: float, loss: float) -> None:
    """Connect the namespace by the line; on a machine that cannot do this print the reason in place of "ready"."""
    names = [f"line{os.getpid() % 1_000_000}{end}" for end in "ab"]
    try:
        near, far = map(_tun, names)
        _connect(namespace, *names)
    except subprocess.CalledProcessError as error:
        say(f"no line: {error.stderr.strip()}")
    except OSError as error:
        say(f"no line: {error}")
    else:
        say("ready")
        delay = round_trip / 2000
        down, up = Direction(near, far, delay=delay, loss=loss), Direction(far, near, delay=delay, loss=0)
        _run({near: down, far: up})
        say("null")


if __name__ == "__main__":
    _main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
