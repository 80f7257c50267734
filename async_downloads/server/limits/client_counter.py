"""Count how many connections or requests each client has at the same time."""

from collections import Counter
from collections.abc import Callable

from ...client_address import client_of
from ..proxies.trusted import Address

__all__ = ["ClientCounter"]


def _exempt_none(address: Address | None) -> bool:  # noqa: ARG001 - the interface
    """Exempt no client."""
    return False


class ClientCounter:
    """Counts for each client, and finds out when a client has more than `most`; None means no limit.

    UNIX sockets, and addresses for which `is_exempt` returns True, are not counted.
    """

    def __init__(self, most: int | None, is_exempt: Callable[[Address | None], bool] = _exempt_none) -> None:
        self._most = most
        self._is_exempt = is_exempt
        self._counts: Counter[str] = Counter()

    def add(self, address: Address | None) -> int:
        """Add one; return how many the client then has beyond the limit. In any case, call `remove` at the end."""
        if self._most is None or self._is_exempt(address) or (client := client_of(address)) is None:
            return 0
        self._counts[client] += 1
        return max(self._counts[client] - self._most, 0)

    def remove(self, address: Address | None) -> None:
        """Subtract one."""
        if not self._counts or self._is_exempt(address) or (client := client_of(address)) is None:
            return
        self._counts[client] -= 1
        if not self._counts[client]:
            del self._counts[client]
