"""Choose the content coding in which a file is sent (RFC 9110 §12.5.3), also if the request is for a range."""

from typing import Final

from .semantics.codings import acceptable
from .semantics.etags import ANY, any_match, parse_etags
from .semantics.representation import RequestHead
from .sending import Receive
from .sources.base import Source, Store
from .wanted_digests import with_digest

__all__ = ["open_negotiated"]


_CODINGS: Final = ("br", "zstd", "gzip")


async def open_negotiated(
    store: Store, key: str, request: RequestHead, receive: Receive | None
) -> tuple[Source, RequestHead]:
    """Open the coding of a file that the client prefers. Return it with the request, whose range may be removed.

    A range is a range of the file without a coding, because most clients that accept a coding cannot decode a part of
    it. But if a client names the ETag of a coded file in If-Range or If-Match, it gets a range of the coded file. A
    date in If-Range does not say which of the two the client has, so it then gets the whole file.
    """
    accepted = request.fields.get("accept-encoding")
    codings = acceptable(accepted, _CODINGS) if accepted else ()
    if codings and "range" in request.fields:
        return await _open_for_range(store, key, codings, request, receive)
    return await with_digest(await store.open(key, codings=codings), request, receive), request


async def _open_for_range(
    store: Store, key: str, codings: tuple[str, ...], request: RequestHead, receive: Receive | None
) -> tuple[Source, RequestHead]:
    async def opened(*codings: str) -> Source:
        return await with_digest(await store.open(key, codings=codings), request, receive)

    fields = request.fields
    named = parse_etags(fields.get("if-range") or fields.get("if-match", ""))
    if named not in {ANY, ()}:
        for coding in codings:
            source = await opened(coding)
            if any_match(named, source.representation.validators.etag, strong=True):
                return source, request
            await source.aclose()
    elif "if-range" in fields:
        source = await opened(*codings)
        return source, _without_range(request) if source.representation.coding else request
    return await opened(), request


def _without_range(request: RequestHead) -> RequestHead:
    return request._replace(fields={name: value for name, value in request.fields.items() if name != "range"})
