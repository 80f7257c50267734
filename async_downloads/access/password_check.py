"""HTTP Basic authentication (RFC 7617): is the password of a request right?

    unknown ── a thread checks the hash ──┬── right ──> remembered for five minutes
                                          └── wrong ──> counted for the client's address

A check takes about 50 ms of a processor and 32 MiB. So few threads do it, requests with the same password wait for one
check, and a client that has failed too often is refused without one.
"""

import asyncio
import hashlib
import logging
import math
import os
import time
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, NamedTuple

from ..errors import SourceBusy
from ..recent_paths import open_in_thread
from ..threads import in_thread, lower_priority
from .accounts import Accounts
from .failures import FailureLimit

__all__ = ["ACCEPTED", "PasswordCheck", "Verdict"]


_log = logging.getLogger("async_downloads")
_MAX_CREDENTIALS: Final = 1024  # bytes


class Verdict(NamedTuple):
    """Whether a password is right; `retry_after` are the seconds to wait if it was not checked."""

    is_right: bool
    retry_after: int = 0


ACCEPTED: Final = Verdict(True)
_WRONG: Final = Verdict(False)
_THREADS: Final = ThreadPoolExecutor(2, "password", lower_priority)  # they take 32 MiB each


class PasswordCheck:
    """Checks the Authorization fields of requests.

    It belongs to one event loop. `_remembered` holds until when a keyed digest of a field is right, the oldest first.
    `_accepted` holds the fields of recent requests, and until when they need no digest. Every second the first request
    waits until the file of accounts was looked at.
    """

    _REMEMBERED_SECONDS: Final = 300.0
    _FRESH_SECONDS: Final = 1.0
    _BUSY_SECONDS: Final = 30.0  # until a file system that did not respond is tried again
    _MAX_REMEMBERED: Final = 4096
    _MAX_RUNNING: Final = 64
    _MAX_ACCEPTED: Final = 256

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._digest = _keyed_digest()
        # The server's cache of request heads holds the fields of recent requests anyway, so this one adds no secret.
        self._accepted: dict[bytes, float] = {}
        self._remembered: dict[bytes, float] = {}
        self._running: dict[bytes, asyncio.Task[Verdict]] = {}
        self._failures = FailureLimit()
        self._revision = accounts.revision
        self._fresh_until = 0.0 if accounts.file else math.inf
        self._refreshing: asyncio.Task[None] | None = None

    def is_remembered(self, credentials: bytes) -> bool:
        """Return whether the value of an Authorization field was found right lately."""
        now = time.monotonic()
        if now < self._accepted.get(credentials, 0.0):
            return True
        if len(credentials) > _MAX_CREDENTIALS:
            return False
        until = min(self._remembered.get(self._digest(credentials), 0.0), self._fresh_until)
        if now < until:
            self._accept(credentials, until)
        return now < until

    def _accept(self, credentials: bytes, until: float) -> None:
        if len(self._accepted) >= self._MAX_ACCEPTED:
            self._accepted.clear()
        self._accepted[credentials] = until

    async def check(self, credentials: bytes, client: str) -> Verdict:
        """Check the value of an Authorization field that `client` sent. Raises SourceBusy if too many checks wait."""
        await self._refresh()
        if self.is_remembered(credentials):
            return ACCEPTED
        account = _account_of(credentials)
        if account is None:
            return _WRONG
        digest = self._digest(credentials)
        if (running := self._running.get(digest)) is None:
            if len(self._running) >= self._MAX_RUNNING:
                raise SourceBusy("too many passwords are being checked")
            if wait := self._failures.take(client):
                return Verdict(False, wait)
            running = self._running[digest] = asyncio.create_task(self._verify(account, digest, client))
            running.add_done_callback(lambda _: self._running.pop(digest))
        return await asyncio.shield(running)

    async def _refresh(self) -> None:
        """Wait until the file of accounts was looked at less than a second ago, by one thread for all requests."""
        if time.monotonic() < self._fresh_until:
            return
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._read_accounts())
        await asyncio.shield(self._refreshing)

    async def _read_accounts(self) -> None:
        seconds = self._FRESH_SECONDS
        try:
            await open_in_thread(str(self._accounts.file), self._accounts.refresh)
        except SourceBusy as error:
            _log.warning("the users stay as they were: %s", error)
            seconds = self._BUSY_SECONDS
        finally:
            self._refreshing = None
        if self._accounts.revision != self._revision:
            self._revision = self._accounts.revision
            self._remembered.clear()
            self._accepted.clear()
        self._fresh_until = time.monotonic() + seconds

    async def _verify(self, account: tuple[str, str], digest: bytes, client: str) -> Verdict:
        revision = self._revision
        if not await in_thread(partial(self._accounts.match, *account), executor=_THREADS):
            _log.warning("401: wrong user or password from %s", client)
            return _WRONG
        self._failures.give_back(client)
        if revision == self._revision:
            self._remember(digest)
        return ACCEPTED

    def _remember(self, digest: bytes) -> None:
        self._remembered.pop(digest, None)
        if len(self._remembered) >= self._MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[digest] = time.monotonic() + self._REMEMBERED_SECONDS


def _keyed_digest() -> Callable[[bytes], bytes]:
    """Return a function that makes a digest with a new random key."""
    key = os.urandom(32)

    def digest(data: bytes) -> bytes:
        return hashlib.blake2s(data, key=key, digest_size=16).digest()

    return digest


def _account_of(credentials: bytes) -> tuple[str, str] | None:
    """Return the user and the password of a field, None if it is not one of Basic authentication.

    >>> _account_of(b"basic bWU6YTpi"), _account_of(b"Bearer bWU6YTpi"), _account_of(b"Basic ?")
    (('me', 'a:b'), None, None)
    """
    scheme, _, token = credentials.partition(b" ")
    if scheme.lower() != b"basic" or len(credentials) > _MAX_CREDENTIALS:
        return None
    try:
        data = b64decode(token.strip(b" "), validate=True)
    except ValueError:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:  # clients that do not know the parameter "charset" send this one
        text = data.decode("latin-1")
    user, colon, password = text.partition(":")
    return (user, password) if colon else None
