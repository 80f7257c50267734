"""The digest of a source, found out for a request that wants it or whose response needs it."""

from dataclasses import replace
from hashlib import sha256
from typing import Final

from .semantics.digests import wants_sha256
from .semantics.representation import RequestHead
from .sending import DisconnectWatcher, Receive
from .sources.base import Source, SupportsDigest
from .sources.memory import MemorySource
from .threads import in_thread

__all__ = ["with_digest"]


# How long a response waits for a digest that its ETag is made from. Without it a client would get the whole file in the
# place of a range, and a proxy that joins ranges of several servers would break off.
_SECONDS: Final = 0.5
_SECONDS_FOR_RANGES: Final = 20.0  # balancers wait 30 or 60 s
_SHORT_BYTES: Final = 256 * 1024  # take a fraction of a millisecond
_PLAIN_FIELDS: Final = frozenset({"accept-encoding", "want-repr-digest"})


async def with_digest(source: Source, request: RequestHead, receive: Receive | None = None) -> Source:
    """Return the source, described with its digest if the request wants that, or if its ETag is made from the digest.

    A digest that is not known yet is waited for, longer if the request has conditions or ranges, and no longer if the
    client leaves, which `receive` tells. If this raises an error, the source is closed.
    """
    found = source.representation
    is_wanted = "want-repr-digest" in request.fields and wants_sha256(request.fields["want-repr-digest"])
    if found.digest or (found.ranges and not is_wanted):
        return source
    if isinstance(source, MemorySource):
        return replace(source, representation=replace(found, digest=await _digest_of(source.data)))
    if isinstance(source, SupportsDigest):
        try:
            with DisconnectWatcher(receive):
                await source.find_digest(_SECONDS if request.fields.keys() <= _PLAIN_FIELDS else _SECONDS_FOR_RANGES)
        except BaseException:
            await source.aclose()
            raise
    return source


async def _digest_of(data: bytes) -> bytes:
    """Return the digest of bytes in memory; many bytes are hashed in a thread."""
    if len(data) <= _SHORT_BYTES:
        return sha256(data).digest()
    return await in_thread(lambda: sha256(data).digest())
