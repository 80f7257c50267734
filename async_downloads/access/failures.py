"""How often one client may give a wrong password."""

import math
import time
from typing import Final

__all__ = ["FailureLimit"]


class FailureLimit:
    """Lets each client fail ten times at once, and then once in six seconds.

    A client is an address, or an IPv6 network. Of each one the table holds when all its failures are forgotten. If
    there are more than `_MAX_CLIENTS`, the one that is forgotten first makes room.
    """

    _BURST: Final = 10
    _SECONDS: Final = 6.0
    _MAX_CLIENTS: Final = 10_000

    def __init__(self) -> None:
        self._forgotten_at: dict[str, float] = {}

    def take(self, client: str) -> int:
        """Count a failure in advance. Return 0, or the seconds to wait if the client has failed too often."""
        now = time.monotonic()
        forgotten_at = max(self._forgotten_at.get(client, now), now)
        wait = forgotten_at - now - (self._BURST - 1) * self._SECONDS
        if wait > 0:
            return math.ceil(wait)
        if client not in self._forgotten_at and len(self._forgotten_at) >= self._MAX_CLIENTS:
            self._make_room(now)
        self._forgotten_at[client] = forgotten_at + self._SECONDS
        return 0

    def give_back(self, client: str) -> None:
        """Do not count the last failure: it was none."""
        self._forgotten_at[client] = self._forgotten_at.get(client, 0.0) - self._SECONDS

    def _make_room(self, now: float) -> None:
        self._forgotten_at = {client: at for client, at in self._forgotten_at.items() if at > now}
        if len(self._forgotten_at) >= self._MAX_CLIENTS:
            del self._forgotten_at[min(self._forgotten_at, key=self._forgotten_at.__getitem__)]
