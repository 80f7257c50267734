"""Connections to whichever address of a name answers first (Happy Eyeballs, RFC 8305).

    0 ms    first address    ── ─ ─ ─ ─ ─ ─
    250 ms  second address        ────────▶ connected: the others are given up
    500 ms  third address                ── ...     each waits only while those before it neither succeed nor fail

asyncio does this, too, but drops a socket when it is cancelled in the moment in which that has connected.
"""

import asyncio
import socket
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any, Final

__all__ = ["Address", "alternating", "connected"]


_NEXT: Final = 0.25  # seconds, §5: an IPv6 address that does not answer costs no more
Address = tuple[int, int, int, str, Any]  # of getaddrinfo


async def connected(host: str, port: int, *, local: str | None = None) -> socket.socket:
    """Return a socket that is connected, from the local address if one is given. OSError or UnicodeError if none is.

    Cancelled, it leaves nothing open.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    started: list[asyncio.Task[socket.socket]] = []
    try:
        winner = await _raced(alternating(found), local, started)
    except BaseException:
        _dismiss(started)
        raise
    _dismiss(each for each in started if each is not winner)
    return winner.result()


def alternating(addresses: Iterable[Address]) -> Iterator[Address]:
    """Take one address of each family in turn, beginning with the one that the system prefers (§4)."""
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    for row in zip_longest(*families.values()):
        yield from (address for address in row if address)


async def _raced(
    addresses: Iterable[Address], local: str | None, started: "list[asyncio.Task[socket.socket]]"
) -> "asyncio.Task[socket.socket]":
    """Return the first attempt that succeeds; all that were begun are added to `started`."""
    waiting, error = iter(addresses), OSError("the name has no address")
    running: set[asyncio.Task[socket.socket]] = set()
    while True:
        address = next(waiting, None)
        if address:
            started.append(asyncio.create_task(_attempt(address, local)))
            running.add(started[-1])
        elif not running:
            raise error
        ended, running = await asyncio.wait(
            running, timeout=_NEXT if address else None, return_when=asyncio.FIRST_COMPLETED
        )
        for attempt in ended:
            failure = attempt.exception()
            if failure is None:
                return attempt
            if not isinstance(failure, OSError):
                raise failure
            error = failure


async def _attempt(address: Address, local: str | None) -> socket.socket:
    family, kind, protocol, _, destination = address
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        if local is not None:
            connection.bind((local, 0))
        await asyncio.get_running_loop().sock_connect(connection, destination)
    except BaseException:
        connection.close()
        raise
    return connection


def _dismiss(attempts: "Iterable[asyncio.Task[socket.socket]]") -> None:
    for attempt in attempts:
        if attempt.cancel():
            attempt.add_done_callback(_close)  # it may be about to succeed
        else:
            _close(attempt)


def _close(attempt: "asyncio.Task[socket.socket]") -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
