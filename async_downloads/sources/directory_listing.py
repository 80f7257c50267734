"""Read the entries of a directory in threads of their own, and only again if they have changed."""

import os
import time
from collections.abc import Callable, Hashable
from functools import partial
from typing import Final

from ..file_systems import remote_device
from ..recent_paths import open_in_thread
from ..threads import LISTING_THREADS, in_thread
from .base import Listing

__all__ = ["list_in_thread", "version_of"]


_COARSE_TICK_NS: Final = 1_000_000_000  # of the clock of file systems that store whole seconds
_FINE_TICK_NS: Final = 10_000_000  # of the kernel's clock for file times


async def list_in_thread(path: str, function: Callable[[], Listing]) -> Listing:
    """Run `function`, which lists an absolute path, in a thread that opens no local file."""
    if await in_thread(partial(remote_device, path)) is None:
        return await in_thread(function, executor=LISTING_THREADS)
    return await open_in_thread(path, function)


async def version_of(path: str) -> Hashable:
    """Return identity and times of a directory; None if it was changed so lately that its time may not differ.

    Raises OSError.
    """
    status = await open_in_thread(path, partial(os.stat, path))
    tick = _COARSE_TICK_NS if status.st_mtime_ns % _COARSE_TICK_NS == 0 else _FINE_TICK_NS
    if abs(time.time_ns() - status.st_mtime_ns) < 2 * tick:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns
