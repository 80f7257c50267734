"""How long to wait before another try, and when to give up."""

from dataclasses import dataclass
from typing import Final

from ...errors import FetchError, NetworkError, NoSuchHost, RetriesExhausted

__all__ = ["RetryBudget", "TransientError", "pause"]


_FIRST_WAIT_SECONDS: Final = 0.5  # seconds, doubled with every failure
_LONGEST: Final = 30.0  # seconds
_SPREAD: Final = 0.3  # of the wait, to either side: those who failed together are not to come back together
_LIVELY: Final = 64 * 1024  # bytes after which a broken connection is no sign of trouble


class TransientError(Exception):
    """A try failed in a way that may pass; the server may have said `after` how many seconds."""

    def __init__(self, error: FetchError, after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after


@dataclass(slots=True)
class RetryBudget:
    """Counts the tries that brought nothing new: after `retries` of them in a row it is enough.

    What ends several connections at once is one failure: of the tries that had begun before it, none counts again.
    `failed` says how many have counted so far.
    """

    retries: int
    failed: int = 0
    _failures: int = 0
    _best: int = 0
    _begun: bool = False

    def note(self, held: int) -> None:
        """Take note of how many bytes are held. Only more than ever before are new."""
        self._begun = True
        if held > self._best:
            self._best, self._failures = held, 0

    def renew(self) -> None:
        """Begin again: what is held is nothing, for there is another version."""
        self._best = self._failures = 0

    def wait(self, transient_error: TransientError, *, gained: int, jitter: float) -> float:
        """Return how many seconds to wait after a try that failed and had brought so many bytes.

        `jitter` is of [0, 1). Raises what the failure was when it was not to be tried again, and RetriesExhausted when
        that was in vain.
        """
        lively = gained >= _LIVELY and not self._failures
        self._failures, self.failed = self._failures + 1, self.failed + 1
        hopeless = isinstance(transient_error.error, NoSuchHost) and not self._begun  # a name that was wrong stays so
        if not self.retries or hopeless:
            raise transient_error.error
        if self._failures > self.retries:
            raise RetriesExhausted(transient_error.error, tries=self._failures) from transient_error.error
        if transient_error.after is not None:
            return transient_error.after
        if lively and isinstance(transient_error.error, NetworkError):
            return 0.0
        return _spread(min(_FIRST_WAIT_SECONDS * 2.0 ** (self._failures - 1), _LONGEST), jitter)


def pause(jitter: float) -> float:
    """Return how many seconds to wait after a failure that does not count, since others are at work."""
    return _spread(_FIRST_WAIT_SECONDS, jitter)


def _spread(seconds: float, jitter: float) -> float:
    return seconds * (1.0 - _SPREAD + 2 * _SPREAD * jitter)
