"""Compute the digest of a source, if the request wants it or if the response needs it."""

from dataclasses import replace
from hashlib import sha256
from typing import Final

from .semantics.digests import wants_sha256
from .semantics.plan import UNCONDITIONAL
from .semantics.representation import RequestHead
from .sending import DisconnectWatcher, Receive
from .sources.base import Source, SupportsDigest
from .sources.memory import MemorySource
from .threads import in_thread

__all__ = ["with_digest"]


# How long a response waits for the digest from which its ETag is made. Without an ETag, a client would get the whole
# file instead of a range, and a proxy that joins ranges of several servers would fail.
_SECONDS: Final = 0.5
_SECONDS_FOR_RANGES: Final = 20.0  # balancers wait 30 or 60 s
_SHORT_BYTES: Final = 256 * 1024  # take a fraction of a millisecond


async def with_digest(source: Source, request: RequestHead, receive: Receive | None = None) -> Source:
    """Return the source, described with its digest if the request wants that, or if its ETag is made from the digest.

    If the digest is not known yet, the function waits for it: longer if the request has conditions or ranges, and only
    until the client leaves, if `receive` is given. If this function raises an error, it has closed the source.
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
                await source.find_digest(_SECONDS if request.fields.keys() <= UNCONDITIONAL else _SECONDS_FOR_RANGES)
        except BaseException:
            await source.aclose()
            raise
    return source


async def _digest_of(data: bytes) -> bytes:
    """Return the digest of bytes in memory; many bytes are hashed in a thread."""
    if len(data) <= _SHORT_BYTES:
        return sha256(data).digest()
    return await in_thread(lambda: sha256(data).digest())
