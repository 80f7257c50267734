"""The limits of bytes per second for a response: that of each response, that of its client, and that of all clients."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from ...client_address import client_of
from ..proxies.trusted import Address
from .token_bucket import TokenBucket

__all__ = ["Allowance", "Rates"]


_MOST_LEFT: Final = 4096  # clients; each takes about 1 KB


class Allowance:
    """The bytes that one response may send, taken from all buckets in quanta."""

    def __init__(self, buckets: Sequence[TokenBucket]) -> None:
        self._buckets = buckets
        self._left = 0

    async def take(self, wanted: int) -> int:
        """Wait until some of the `wanted` bytes may be sent; return their number, at least 1."""
        if not self._left:
            self._left = await self._taken(min(bucket.quantum for bucket in self._buckets))
        count = min(wanted, self._left)
        self._left -= count
        return count

    async def _taken(self, count: int) -> int:
        taken: list[TokenBucket] = []
        try:
            for bucket in self._buckets:
                await bucket.take(count)
                taken.append(bucket)
        except BaseException:
            for bucket in taken:
                bucket.give_back(count)
            raise
        return count

    def end(self) -> None:
        """Give back the bytes that were not sent."""
        for bucket in self._buckets if self._left else ():
            bucket.give_back(self._left)


class Rates:
    """The buckets of one process. None means no limit.

    A client is an IPv4 address or an IPv6 network, as for the limit of connections. The limit of each client does not
    apply to UNIX sockets.
    """

    def __init__(self, each: int | None, client: int | None, total: int | None) -> None:
        self._each = each
        self._clients = _ClientBuckets(client) if client else None
        self._total = TokenBucket(total) if total else None

    @contextmanager
    def allowance(self, address: Address | None) -> Iterator[Allowance]:
        """Yield the allowance of a response to a client."""
        client = client_of(address)
        buckets = [TokenBucket(self._each)] if self._each else []
        if self._clients is not None and client is not None:
            buckets.append(self._clients.of(client))
        if self._total is not None:
            buckets.append(self._total)
        for bucket in buckets:
            bucket.users += 1
        allowance = Allowance(buckets)
        try:
            yield allowance
        finally:
            allowance.end()
            for bucket in buckets:
                bucket.users -= 1
            if self._clients is not None and client is not None:
                self._clients.leave(client)


class _ClientBuckets:
    """A bucket for each client that has a download, or had one recently.

    If a bucket were removed at once, a client could get the first bytes of a new bucket again and again.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._used: dict[str, TokenBucket] = {}
        self._left: OrderedDict[str, TokenBucket] = OrderedDict()  # the one that left first is the first

    def of(self, client: str) -> TokenBucket:
        """Return the bucket of a client."""
        if client not in self._used:
            known = client in self._left
            self._used[client] = self._left.pop(client) if known else TokenBucket(self._rate)
        return self._used[client]

    def leave(self, client: str) -> None:
        """Record that a download of a client has ended."""
        if not self._used[client].users:
            self._left[client] = self._used.pop(client)
        while self._left and (len(self._left) > _MOST_LEFT or next(iter(self._left.values())).is_full()):
            self._left.popitem(last=False)
