"""Detect standstills of the machine itself, in a program that needs no server.

When the host of a virtual machine stops it, or takes its memory away and gives it back page by page, all processes
wait, and response times say nothing about the server. So this program touches memory of its own and reads the clock.
Time in which other processes had the core does not count: the kernel reports it.
"""

import json
import mmap
import os
import select
import sys
import time
from collections.abc import Iterator

from benchmarks.load.companion import LONGEST, say

PAUSE = 0.002  # seconds between two readings of the clock
LATE = 0.005  # seconds of delay; a longer one is a standstill
TOUCHED = 8 * 1024 * 1024  # bytes, about as many as a server needs for a response


def _standstills() -> Iterator[tuple[float, float]]:
    """Yield when each standstill began and ended, in monotonic seconds, until the standard input ends."""
    memory, touch = mmap.mmap(-1, TOUCHED), bytes(TOUCHED // mmap.PAGESIZE)
    memory.madvise(mmap.MADV_NOHUGEPAGE)  # so that each page is allocated separately
    memory[:: mmap.PAGESIZE] = touch  # the kernel allocates the pages at the first touch
    queue = os.open("/proc/self/schedstat", os.O_RDONLY)
    begin, queued = time.monotonic(), _queued(queue)
    say("ready")
    end, asked_to_end = begin + LONGEST, False
    while begin < end and not asked_to_end:
        asked_to_end = bool(select.select([sys.stdin], [], [], PAUSE)[0])
        memory[:: mmap.PAGESIZE] = touch
        now, waited = time.monotonic(), _queued(queue)
        ran = begin + waited - queued  # after this moment no other process had the core
        if now - ran > PAUSE + LATE:
            yield ran, now
        begin, queued = now, waited


def _queued(queue: int) -> float:
    """Return for how many seconds this process has waited for its core."""
    return int(os.pread(queue, 100, 0).split()[1]) / 1e9


if __name__ == "__main__":
    say(json.dumps(list(_standstills())))
