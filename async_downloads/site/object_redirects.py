"""Redirect clients to the object store, which then sends the bytes itself. The signed URL is valid for some minutes."""

from typing import Any

from ..asgi import Downloads, refusal
from ..request_target import key_of
from ..responder import Response
from ..sending import Receive, Scope
from ..sources.base import Store
from ..sources.object_storage import ObjectStore
from ..sources.object_urls import REDIRECT_NEEDS
from .redirecting import redirect, sends_itself

__all__ = ["RedirectingDownloads"]


class RedirectingDownloads(Downloads):
    """Responds to a request for an object with a redirect (307) to a signed URL of the store; see `redirect`.

    The store is not asked beforehand: if the object does not exist, the store itself sends the error.

    Pictures and videos in the pages of the site are not redirected, because the pages load from their own server only.
    """

    def __init__(self, store: Store, seconds: int, *, attachment: bool, **options: Any) -> None:
        """Raises ValueError if the store is not one of S3, or has no key to sign with."""
        super().__init__(store, attachment=attachment, **options)
        if not isinstance(store, ObjectStore) or store.signer is None:
            raise ValueError(f"redirects need {REDIRECT_NEEDS}")
        self._objects = store
        self._url_signer = store.signer
        self._seconds = seconds
        self._saves = attachment

    async def respond(self, scope: Scope, key: str | None = None, *, receive: Receive | None = None) -> Response:
        """Return the redirect. Raises NotFound if no object may have this key."""
        if refused := refusal(scope):
            return refused
        if sends_itself(scope) or key not in {None, key_of(scope)}:  # such as `index.html` for a folder
            return await super().respond(scope, key, receive=receive)
        key = key_of(scope) if key is None else key
        self._objects.check_key(key)
        name = key.rpartition("/")[2]
        return redirect(scope, self._url_signer, key, name, seconds=self._seconds, attachment=self._saves)
