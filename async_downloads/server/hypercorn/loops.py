"""Event loops whose connections keep little for clients that take little.

asyncio lets a connection hold 64 KiB that its socket did not take before a writer has to wait. With ten thousand slow
clients that is most of the memory; a quarter of it serves fast ones as well, since the kernel holds megabytes more.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

__all__ = ["loop_factory"]


_HIGH_WATER: Final = 16 * 1024
# More would keep the loop waiting on one core: a reader that has the interpreter and not the processor waits for the
# other readers. With eight a client that has nothing to do with it waited 20 to 80 ms, with four it is 4.
_READERS: Final = 4
_NICE: Final = 10


def loop_factory(kind: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes a loop: `uvloop` where that is asked for, asyncio's own else."""
    base: type[Any] = asyncio.SelectorEventLoop
    if kind == "uvloop":
        import uvloop

        base = uvloop.Loop

    class Loop(base):  # type: ignore[misc] # the base is not known before
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.set_default_executor(ThreadPoolExecutor(_READERS, "reader", _step_back))

        async def create_server(self, protocol_factory: Callable[[], Any], *args: Any, **options: Any) -> Any:
            return await super().create_server(lambda: _frugal(protocol_factory()), *args, **options)

    return Loop


def _step_back() -> None:
    """Let the event loop go first: a thread that reads from a disk has time."""
    if sys.platform == "linux":  # where every thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _frugal(protocol: Any) -> Any:
    """Have the protocol's transport ask its writer to wait sooner."""
    connection_made = protocol.connection_made

    def limited(transport: asyncio.WriteTransport) -> None:
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        connection_made(transport)

    protocol.connection_made = limited
    return protocol
