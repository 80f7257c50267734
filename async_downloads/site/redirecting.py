"""Redirects to signed URLs of an object store, which then sends the bytes itself."""

import time
from typing import TYPE_CHECKING, Final

from ..access.signature_parameter import LINK
from ..asgi import plain_response
from ..request_target import wants_attachment
from ..responder import Response
from ..semantics.disposition import content_disposition
from ..sending import Scope

if TYPE_CHECKING:  # the signer needs obstore, which few sites have
    from ..access.signer import Link
    from ..sources.object_storage import S3Signer

__all__ = ["redirect", "sends_itself"]


_SITE: Final = b"sec-fetch-site"
_MODE: Final = b"sec-fetch-mode"
_MAX_SECONDS: Final = 604_800  # S3 signs for seven days at most


def redirect(scope: Scope, signer: "S3Signer", key: str, name: str, *, seconds: int, attachment: bool) -> Response:
    """Return the redirect (307) to an object, which browsers save as `name`.

    The signed URL is for the method of the request. It is valid for at least `seconds`, and for at most one and a half
    times as long. For half of `seconds` all servers make the same URL, so that browsers can cache the object. If a
    signed link opened the request, the URL is valid for no longer than the link, and saves under the link's name.
    `attachment` says whether browsers save the object by default, or show it.
    """
    link: Link | None = scope.get(LINK)
    now = time.time()
    seconds, window = _validity(seconds, link, now)
    name = link.name if link and link.name else name
    saves = wants_attachment(scope["query_string"], default=attachment)
    disposition = content_disposition("attachment" if saves else "inline", name)
    location = signer.sign(
        scope["method"],
        key,
        now=now,
        seconds=seconds,
        window=window,
        parameters={"response-content-disposition": disposition},
    )
    fields = (
        ("Location", location),
        ("Cache-Control", f"private, max-age={window}"),
        ("Vary", "Sec-Fetch-Mode, Sec-Fetch-Site"),
        ("Referrer-Policy", "no-referrer"),
        ("Content-Length", "0"),
    )
    return plain_response(307, b"", fields)


def _validity(seconds: int, link: "Link | None", now: float) -> tuple[int, int]:
    """Return for how many seconds a URL is valid at least, and for how many of them all servers make the same URL."""
    window = min(seconds // 2, _MAX_SECONDS - seconds)
    left = int(link.expires - now) if link else _MAX_SECONDS
    return (seconds, window) if seconds + window <= left else (max(min(seconds, left), 1), 0)


def sends_itself(scope: Scope) -> bool:
    """Return whether this server must send the object itself.

    It does so if a page of this site loads the object, for example as a picture, because the pages may load only from
    their own server; only browsers send the fields that say this. It also does so for a link that only some addresses
    may use, because a bucket does not check addresses.
    """
    link: Link | None = scope.get(LINK)
    if link and link.address:
        return True
    fields = dict(scope["headers"])
    return fields.get(_SITE) == b"same-origin" and fields.get(_MODE) != b"navigate"
