"""Redirects to signed URLs of an object store, which then sends the bytes itself."""

import time
from typing import TYPE_CHECKING, Final

from ..asgi import plain_response
from ..request_target import wants_attachment
from ..responder import Response
from ..semantics.disposition import content_disposition
from ..sending import Scope

if TYPE_CHECKING:  # it needs obstore, which few sites have
    from ..sources.object_storage import S3Signer

__all__ = ["is_part_of_a_page", "redirect"]


_SITE: Final = b"sec-fetch-site"
_MODE: Final = b"sec-fetch-mode"
_MAX_SECONDS: Final = 604_800  # S3 signs for seven days at most


def redirect(scope: Scope, signer: "S3Signer", key: str, name: str, *, seconds: int, attachment: bool) -> Response:
    """Return the redirect (307) to an object, which browsers save as `name`.

    The signed URL is for the method of the request. It is valid for at least `seconds`, and for at most one and a half
    times as long. For half of `seconds` all servers make the same URL, so that browsers can cache the object.
    `attachment` says whether browsers save the object by default, or show it.
    """
    window = min(seconds // 2, _MAX_SECONDS - seconds)
    saves = wants_attachment(scope["query_string"], default=attachment)
    disposition = content_disposition("attachment" if saves else "inline", name)
    location = signer.sign(
        scope["method"],
        key,
        now=time.time(),
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


def is_part_of_a_page(scope: Scope) -> bool:
    """Return whether a page of this site loads the object, for example as a picture.

    Such objects are not redirected, because the pages may load only from their own server. Only browsers send the
    fields that say this.
    """
    fields = dict(scope["headers"])
    return fields.get(_SITE) == b"same-origin" and fields.get(_MODE) != b"navigate"
