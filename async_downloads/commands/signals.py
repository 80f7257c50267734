"""How a signal ends a command: the first one cancels what runs, and a later one ends the process at once.

`timeout` and some shells send a signal to the process and then to its group: what comes within a second is the same.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["SignalHandler", "interruptible"]


_SAME: Final = 1.0  # seconds; who wants it a second time takes longer


class SignalHandler:
    """What is done about signals. `code` is the exit code for the first one, None before that."""

    def __init__(self, cancel: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        self.code: int | None = None
        self._cancel = cancel
        self._clock = clock
        self._at = 0.0

    def __call__(self, number: int, _: object) -> None:
        """Take a signal."""
        if self.code is None:
            self.code, self._at = 128 + number, self._clock()
            self._cancel()
        elif self._clock() - self._at > _SAME:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


@contextmanager
def interruptible() -> Iterator[SignalHandler]:
    """Cancel this task when a signal asks the command to end; after that the next ones are taken to the very end."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    interruption = SignalHandler(lambda: loop.call_soon_threadsafe(task.cancel) if task else None)
    heeded = [each for each in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, interruption) for each in heeded}
    try:
        yield interruption
    finally:
        if interruption.code is None:
            for each, action in before.items():
                signal.signal(each, action)
