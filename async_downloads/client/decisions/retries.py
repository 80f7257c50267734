"""How long to wait before the next attempt, and when to give up."""

from dataclasses import dataclass
from typing import Final

from ...errors import FetchError, NetworkError, NoSuchHost, RetriesExhausted

__all__ = ["RetryBudget", "TransientError", "short_wait"]


_FIRST_WAIT_SECONDS: Final = 0.5  # doubled after every failure
_MAX_WAIT_SECONDS: Final = 30.0
_JITTER: Final = 0.3  # share of the wait, up or down: clients that failed together must not return together
_PRODUCTIVE_BYTES: Final = 64 * 1024  # a connection that brought as much is replaced at once when it breaks


class TransientError(Exception):
    """An attempt failed, and another one may succeed. `retry_after` is the server's wish in seconds, if it has one."""

    def __init__(self, error: FetchError, retry_after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after


@dataclass(slots=True)
class RetryBudget:
    """Counts attempts without progress, and gives up after `retries` of them in a row.

    One event may break several connections. The caller counts that as one failure: it compares `failures`, the number
    counted so far, with its value at the start of the attempt.
    """

    retries: int
    failures: int = 0
    _in_a_row: int = 0
    _most_held: int = 0
    _received_any: bool = False

    def note_held(self, held: int) -> None:
        """Note that `held` bytes are held. Only more bytes than ever before are progress."""
        self._received_any = True
        if held > self._most_held:
            self._most_held, self._in_a_row = held, 0

    def reset(self) -> None:
        """Forget the progress and the failures: the download starts over with another version."""
        self._most_held = self._in_a_row = 0

    def wait(self, transient_error: TransientError, *, received: int, jitter: float) -> float:
        """Count the failure of an attempt that brought `received` bytes; return the seconds to wait.

        `jitter` is a random number in [0, 1). Raises the error itself if there are no retries or if the host name was
        wrong from the start, and RetriesExhausted if the budget is used up.
        """
        productive = received >= _PRODUCTIVE_BYTES and not self._in_a_row
        self._in_a_row, self.failures = self._in_a_row + 1, self.failures + 1
        wrong_name = isinstance(transient_error.error, NoSuchHost) and not self._received_any
        if not self.retries or wrong_name:
            raise transient_error.error
        if self._in_a_row > self.retries:
            raise RetriesExhausted(transient_error.error, tries=self._in_a_row) from transient_error.error
        if transient_error.retry_after is not None:
            return transient_error.retry_after
        if productive and isinstance(transient_error.error, NetworkError):
            return 0.0
        return _jittered(min(_FIRST_WAIT_SECONDS * 2.0 ** (self._in_a_row - 1), _MAX_WAIT_SECONDS), jitter)


def short_wait(jitter: float) -> float:
    """Return the seconds to wait after a failure that does not count, because other connections make progress."""
    return _jittered(_FIRST_WAIT_SECONDS, jitter)


def _jittered(seconds: float, jitter: float) -> float:
    return seconds * (1.0 - _JITTER + 2 * _JITTER * jitter)
