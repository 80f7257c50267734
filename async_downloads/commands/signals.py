"""Signals: the first SIGINT or SIGTERM cancels the command's task, and a later one ends the process at once.

`timeout` and some shells send a signal to the process, and again to its group. So signals within one second count as
one signal.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["SignalHandler", "interruptible"]


_SAME_SIGNAL_SECONDS: Final = 1.0  # a user who presses Ctrl-C again takes longer


class SignalHandler:
    """Handles the signals of a command. `code` is None until the first signal, then the exit code."""

    def __init__(self, cancel: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        self.code: int | None = None
        self._cancel = cancel
        self._clock = clock
        self._first = 0.0

    def __call__(self, number: int, _: object) -> None:
        """Handle a signal."""
        if self.code is None:
            self.code, self._first = 128 + number, self._clock()
            self._cancel()
        elif self._clock() - self._first > _SAME_SIGNAL_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


@contextmanager
def interruptible() -> Iterator[SignalHandler]:
    """Cancel this task at the first signal. If a signal came, the handlers stay after the end of the block."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    handler = SignalHandler(lambda: loop.call_soon_threadsafe(task.cancel) if task else None)
    handled = [each for each in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, handler) for each in handled}
    try:
        yield handler
    finally:
        if handler.code is None:
            for each, action in before.items():
                signal.signal(each, action)
