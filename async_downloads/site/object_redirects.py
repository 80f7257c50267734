"""Redirect clients to the object store: it sends the bytes itself, by a URL that is valid for some minutes."""

import time
from typing import Any, Final

from ..asgi import Downloads, plain_response, refusal
from ..request_target import key_of, wants_attachment
from ..responder import Response
from ..semantics.disposition import content_disposition
from ..sending import Receive, Scope
from ..sources.base import Store
from ..sources.object_storage import ObjectStore
from ..sources.object_urls import NO_SIGNER

__all__ = ["RedirectingDownloads"]


_SITE: Final = b"sec-fetch-site"
_MAX_SECONDS: Final = 604_800  # S3 signs for seven days at most
_MODE: Final = b"sec-fetch-mode"


class RedirectingDownloads(Downloads):
    """Responds to a request for an object with a redirect (307) to a signed URL of the store.

    The URL is for the method of the request, and valid for `seconds` up to one and a half times as long. Within half of
    `seconds` it is the same on every server, so that browsers cache what it leads to. Nobody asks the store beforehand:
    for an object that does not exist the store itself sends an error.

    Pictures and videos in the pages of the site are not redirected, because the pages load from their own server only.
    """

    def __init__(self, store: Store, seconds: int, *, attachment: bool, **options: Any) -> None:
        """Raises ValueError if the store is not one of S3, or has no key to sign with."""
        super().__init__(store, attachment=attachment, **options)
        if not isinstance(store, ObjectStore) or store.signer is None:
            raise ValueError(NO_SIGNER)
        self._objects = store
        self._url_signer = store.signer
        self._seconds = seconds
        self._saves = attachment

    async def respond(self, scope: Scope, key: str | None = None, *, receive: Receive | None = None) -> Response:
        """Return the redirect. Raises NotFound if no object may have this key."""
        if refused := refusal(scope):
            return refused
        if _is_part_of_a_page(scope) or key not in {None, key_of(scope)}:  # `index.html` in the place of a folder
            return await super().respond(scope, key, receive=receive)
        key = key_of(scope) if key is None else key
        self._objects.check_key(key)
        attachment = wants_attachment(scope["query_string"], default=self._saves)
        return self._redirect(scope["method"], key, "attachment" if attachment else "inline")

    def _redirect(self, method: str, key: str, disposition: Any) -> Response:
        window = min(self._seconds // 2, _MAX_SECONDS - self._seconds)
        name = content_disposition(disposition, key.rpartition("/")[2])
        location = self._url_signer.sign(
            method,
            key,
            now=time.time(),
            seconds=self._seconds,
            window=window,
            parameters={"response-content-disposition": name},
        )
        fields = (
            ("Location", location),
            ("Cache-Control", f"private, max-age={window}"),
            ("Vary", "Sec-Fetch-Mode, Sec-Fetch-Site"),
            ("Referrer-Policy", "no-referrer"),
            ("Content-Length", "0"),
        )
        return plain_response(307, b"", fields)


def _is_part_of_a_page(scope: Scope) -> bool:
    """Return whether a page of this site loads the object, for example as a picture; only browsers say so."""
    fields = dict(scope["headers"])
    return fields.get(_SITE) == b"same-origin" and fields.get(_MODE) != b"navigate"
