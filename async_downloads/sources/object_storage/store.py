"""A bucket, or a part of one, as a store.

Opening an object costs one round trip, because the first bytes are requested together with the description. A small
object is then complete, and the first bytes of a large object can be sent while the next bytes are requested.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final, Self

from ...errors import Forbidden, IsDirectory, NotFound, SourceError
from ...semantics.representation import RequestHead
from ...source_events import timed
from ...threads import LISTING_THREADS, in_thread
from ..base import MAX_ENTRIES, Entry, Listing
from ..memory import MemorySource
from ..sorting import sorted_in_runs
from .connecting import store_at
from .description import describe, etag_of
from .errors import NotModified, NotSatisfiable, UnreadableKey
from .found import Found, FoundObject
from .keys import is_usable_key
from .s3_listing import list_in_thread
from .s3_signing import S3Signer
from .small_objects import SmallObjects
from .source import ObjectSource
from .upstream import Received, Upstream

__all__ = ["ObjectStore"]


_WINDOW_BYTES: Final = 64 * 1024  # requested together with a description
_MANY_ENTRIES: Final = 1000  # more entries are sorted in a thread, because that takes milliseconds
_MAX_OBJECT_BYTES: Final = 2**63 - 1  # the largest size that Python accepts, far above that of any store
_MAX_KEY_BYTES: Final = 1024  # the limit of S3 and Google Cloud Storage
_HIDDEN: Final = re.compile(r"(?:^|/)\.(?!well-known(?:/|\Z))")
_FIRST_BYTE: Final = re.compile(r"bytes=([0-9]{1,18})-")


class ObjectStore:
    """The objects of a bucket. A key is the name of an object in the bucket, below the prefix of the URL.

    `store` is a store of obstore; `from_url` makes one. `hidden` also serves names that begin with a dot. At most
    `connections` requests to the object store run at a time, however many clients there are. A request that waits
    longer than `patience` seconds for a free connection raises SourceBusy. A listing has at most `max_entries` entries.
    With `signer`, a folder of S3 is listed even if obstore refuses some of its keys, such as `a//b`. These are left
    out.

    Owner: the application that created it. There is nothing to close. Create the store in the process and the event
    loop that use it, because obstore does not work in a process that was forked after its first use.
    """

    def __init__(
        self,
        store: Any,
        *,
        hidden: bool = False,
        connections: int = 64,
        patience: float = 10.0,
        max_entries: int = MAX_ENTRIES,
        signer: S3Signer | None = None,
    ) -> None:
        self._upstream = Upstream(store, connections=connections, patience=patience)
        self._hidden = hidden
        self._max_entries = max_entries
        self.signer: S3Signer | None = signer
        self._small_objects = SmallObjects()

    @classmethod
    def from_url(cls, url: str, *, hidden: bool = False, connections: int = 64) -> Self:
        """Return the store at `s3://bucket/prefix`, `gs://…`, `az://…` or `memory://`.

        The usual environment variables have the credentials and the endpoint: `AWS_*`, `GOOGLE_*` and `AZURE_*`. No
        connection is made yet. Raises ValueError, with one line that says what to do, if the URL has another form.
        """
        signer = S3Signer.from_environment(url)
        return cls(store_at(url), hidden=hidden, connections=connections, signer=signer)

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> ObjectSource | MemorySource:  # noqa: ARG002 - an object has one coding
        """Open the current version of the object with that key. Raises the errors of `Store.open`."""
        return await self._open(key, 0)

    async def open_for(self, request: RequestHead, key: str) -> ObjectSource | MemorySource:
        """Open the object for a request. Also request the bytes with which the response begins, if it has any."""
        if request.method == "HEAD" or "if-none-match" in request.fields:
            return await self._open(key, None)
        found = _FIRST_BYTE.match(request.fields.get("range", ""))
        return await self._open(key, int(found[1]) if found else 0)

    @timed("object")
    async def _open(self, key: str, start: int | None) -> ObjectSource | MemorySource:
        """Open an object with the bytes from `start` on; without bytes if `start` is None."""
        self.check_key(key)
        try:
            if cached := self._small_objects.get(key):
                source, etag = cached
                return await self._receive(key, 0, if_none_match=etag)
            return await self._receive(key, start)
        except NotModified:
            return source
        except NotFound:
            self._small_objects.remove(key)
            if await self._is_directory(key):
                raise IsDirectory(f"{key!r} is a directory: other keys begin with it") from None
            raise

    async def _is_directory(self, key: str) -> bool:
        """Return whether other keys begin with this key and a slash; False if the credentials may not list them."""
        try:
            return await self._upstream.has_below(key)
        except UnreadableKey:
            return len(await self._found(key)) > 0
        except Forbidden:
            return False

    async def _receive(self, key: str, start: int | None, **conditions: str) -> ObjectSource | MemorySource:
        """Request a description and the first bytes; only the description if the store cannot send that range."""
        if start is None:
            return self._source(key, await self._describe(key))
        try:
            window = (start, start + _WINDOW_BYTES)
            return self._source(key, await self._upstream.get(key, range=window, **conditions), start=start)
        except NotSatisfiable:
            received = await self._upstream.get(key, head=True)
            return self._source(key, received, ranges=start >= received.meta["size"])

    async def _describe(self, key: str) -> Received:
        """Request a description. If it is refused, request a byte, because only a response with a body says why."""
        try:
            return await self._upstream.get(key, head=True)
        except Forbidden:
            return await self._upstream.get(key, range=(0, 1))

    def _source(
        self, key: str, received: Received, *, start: int = 0, ranges: bool = True
    ) -> ObjectSource | MemorySource:
        if received.meta["size"] > _MAX_OBJECT_BYTES:
            raise SourceError(f"{key!r} has {received.meta['size']} bytes, says the store")
        representation = describe(key, received, ranges=ranges)
        if len(received.data) != received.meta["size"]:
            return ObjectSource(self._upstream, key, received, representation, start=start)
        source = MemorySource(received.data, representation)
        if received.etag:
            self._small_objects.put(key, source, received.etag)
        return source

    def check_key(self, key: str) -> None:
        """Raise NotFound if no served object can have this key."""
        if not is_usable_key(key) or (not self._hidden and _HIDDEN.search(key)) or len(key.encode()) > _MAX_KEY_BYTES:
            raise NotFound(f"{key[:100]!r} is not a valid key")

    async def probe(self) -> None:
        """Check that the store responds. Raises DownloadError if it does not, or does not accept the credentials."""
        await self._upstream.probe("")

    async def list(self, key: str) -> Listing:
        """Return the objects and the directories (common prefixes) directly below the key. Raises NotFound for none."""
        if key:
            self.check_key(key)
        found = await self._found(key)
        if key and not len(found):
            raise NotFound(f"no key begins with {key!r} and a slash")
        make = partial(self._entries, key, found)
        entries = await in_thread(make, executor=LISTING_THREADS) if len(found) > _MANY_ENTRIES else make()
        return Listing(entries[: self._max_entries], truncated=len(entries) > self._max_entries)

    async def _found(self, key: str) -> Found:
        try:
            return await self._upstream.list(key)
        except UnreadableKey:
            if self.signer is None:
                raise
            listing = partial(list_in_thread, self.signer, key)
            return await in_thread(listing, executor=LISTING_THREADS)

    def _entries(self, key: str, found: Found) -> tuple[Entry, ...]:
        return tuple(self._each_entry(key, found))

    def _each_entry(self, key: str, found: Found) -> Iterator[Entry]:
        """Yield directories, then files. An object with the key itself is left out: programs make one for a folder."""
        for name in sorted_in_runs(list({path.rpartition("/")[2] for path in found.prefixes})):
            if self._is_shown(name):
                yield Entry(name, is_directory=True)
        files = {entry.name: entry for entry in map(_file, (each for each in found.objects if each.path != key))}
        for name in sorted_in_runs(list(files)):
            if self._is_shown(name):
                yield files[name]

    def _is_shown(self, name: str) -> bool:
        return is_usable_key(name) and (self._hidden or not _HIDDEN.match(name))


def _file(found: FoundObject) -> Entry:
    name = found.path.rpartition("/")[2]
    return Entry(name, is_directory=False, size=found.size, modified=found.modified, etag=etag_of(found.etag))
