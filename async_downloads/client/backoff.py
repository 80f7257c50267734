"""How long to wait before another try, and when to give up."""

from dataclasses import dataclass
from typing import Final

from ..errors import FetchError, NetworkError, NoSuchHost, RetriesExhausted

__all__ = ["Patience", "Setback"]

_FIRST: Final = 0.5  # seconds, doubled with every failure
_LONGEST: Final = 30.0  # seconds
_SPREAD: Final = 0.3  # of the wait, to either side: those who failed together are not to come back together
_LIVELY: Final = 64 * 1024  # bytes after which a broken connection is no sign of trouble


class Setback(Exception):
    """A try failed in a way that may pass; the server may have said `after` how many seconds."""

    def __init__(self, error: FetchError, after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after


@dataclass(slots=True)
class Patience:
    """Counts the tries that brought nothing new: after `retries` of them in a row it is enough."""

    retries: int
    _failures: int = 0
    _best: int = 0
    _gained: int = 0
    _begun: bool = False

    def note(self, held: int) -> None:
        """Take note of how many bytes are held. Only more than ever before are new."""
        self._begun = True
        if held > self._best:
            self._gained += held - self._best
            self._best, self._failures = held, 0

    def renew(self) -> None:
        """Begin again: what is held is nothing, for there is another version."""
        self._best = self._failures = 0

    def wait(self, setback: Setback, *, jitter: float) -> float:
        """Return how many seconds to wait after a failure. `jitter` is of [0, 1).

        Raises what the failure was when it was not to be tried again, and RetriesExhausted when that was in vain.
        """
        self._failures += 1
        hopeless = isinstance(setback.error, NoSuchHost) and not self._begun  # a name that was wrong stays so
        if not self.retries or hopeless:
            raise setback.error
        if self._failures > self.retries:
            raise RetriesExhausted(setback.error, tries=self._failures) from setback.error
        lively, self._gained = self._gained >= _LIVELY, 0
        if setback.after is not None:
            return setback.after
        if lively and isinstance(setback.error, NetworkError):
            return 0.0
        return min(_FIRST * 2.0 ** (self._failures - 1), _LONGEST) * (1.0 - _SPREAD + 2 * _SPREAD * jitter)
