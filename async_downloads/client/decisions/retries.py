"""How long to wait before the next attempt, and when to give up."""

from dataclasses import dataclass
from math import inf
from typing import Final

from ...errors import FetchError, NetworkError, NoSuchHost, RetriesExhausted

__all__ = ["PATIENCE_SECONDS", "RetryBudget", "TransientError"]


_FIRST_WAIT_SECONDS: Final = 0.5  # doubled after every failure
_MAX_WAIT_SECONDS: Final = 30.0
_JITTER: Final = 0.3  # random share of the wait, up or down, so that clients return at different times
PATIENCE_SECONDS: Final = 300.0  # the longest wait for a server that asks the client to wait
_MIN_PENDING_SECONDS: Final = 1.0  # a server that still prepares the file is not asked more often
_MAX_MALFORMED: Final = 2  # malformed responses without progress; then the download fails
_PROGRESS_BYTES: Final = 16 * 1024  # otherwise a download of one byte per request would never end
_PRODUCTIVE_BYTES: Final = 64 * 1024  # a broken connection that received so many bytes is replaced without a wait


class TransientError(Exception):
    """An attempt failed, and another one may succeed. The server asks to wait `retry_after` seconds.

    `pending` says that the server accepted the request and prepares the response, which is no failure. `waited` is the
    number of seconds that passed without a response. `crashed` says that the connection to the server ended without a
    response; a gateway may report that. The server may have crashed because of a field of the request. `malformed` says
    that the response is malformed; then the next response most likely is malformed too.
    """

    def __init__(
        self,
        error: FetchError,
        retry_after: float | None = None,
        *,
        pending: bool = False,
        waited: float = 0.0,
        crashed: bool = False,
        malformed: bool = False,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after
        self.pending = pending
        self.waited = waited
        self.crashed = crashed
        self.malformed = malformed


@dataclass(slots=True)
class RetryBudget:
    """Counts attempts without progress, and gives up after `retries` of them in a row; `math.inf` means no limit.

    A server may also ask to wait. Without progress, all such waits together last at most `patience` seconds.

    One event may break several connections. The caller must count that as one failure: it compares `failures` with the
    value at the start of the attempt.
    """

    retries: float
    patience: float = PATIENCE_SECONDS
    failures: int = 0
    _in_a_row: int = 0
    _most_held: int = 0
    _waited: float = 0.0
    _malformed: int = 0
    _received_any: bool = False

    def note_held(self, held: int) -> None:
        """Record that `held` bytes are held. 16 KiB more than at the last progress are progress."""
        self._received_any = True
        if held >= self._most_held + _PROGRESS_BYTES:
            self._most_held, self._in_a_row, self._malformed, self._waited = held, 0, 0, 0.0

    def reset(self) -> None:
        """Forget the progress and the failures, because the download starts over with another version."""
        self._most_held, self._in_a_row, self._malformed, self._waited = 0, 0, 0, 0.0

    def wait(self, transient_error: TransientError, *, received: int, jitter: float) -> float:
        """Count the failure of an attempt that received `received` bytes. Return the seconds to wait.

        `jitter` is a random number in [0, 1). Raises the error of the attempt if no retries are allowed or if the first
        request did not find the host. Raises RetriesExhausted if the retries or the patience are used up.
        """
        productive = received >= _PRODUCTIVE_BYTES and not self._in_a_row
        self._in_a_row, self.failures = self._in_a_row + (not transient_error.pending), self.failures + 1
        wrong_name = isinstance(transient_error.error, NoSuchHost) and not self._received_any
        if not self.retries or wrong_name:
            raise transient_error.error
        self._malformed += transient_error.malformed
        if self._in_a_row > self.retries or self._malformed >= _MAX_MALFORMED:
            raise RetriesExhausted(transient_error.error, tries=self._in_a_row) from transient_error.error
        asked = self._asked_wait(transient_error)
        if asked is not None:
            return asked
        if productive and isinstance(transient_error.error, NetworkError):
            return 0.0
        return _jittered(min(_FIRST_WAIT_SECONDS * 2.0 ** (self._in_a_row - 1), _MAX_WAIT_SECONDS), jitter)

    def _asked_wait(self, transient_error: TransientError) -> float | None:
        """Return the seconds that the server asks to wait; None if it does not. Raises RetriesExhausted."""
        asked, tries = transient_error.retry_after, self._in_a_row
        if asked is not None and transient_error.pending:
            asked = max(asked, _MIN_PENDING_SECONDS)
        self._waited += transient_error.waited + (asked or 0.0)
        if self.retries < inf and self._waited > self.patience:
            raise RetriesExhausted(transient_error.error, tries=tries, wait=asked) from transient_error.error
        return asked


def _jittered(seconds: float, jitter: float) -> float:
    return seconds * (1.0 - _JITTER + 2 * _JITTER * jitter)
