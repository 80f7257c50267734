"""Redirect clients to the bucket that has the bytes of a database's files."""

from typing import Any

from ..asgi import Downloads, refusal
from ..request_target import key_of
from ..responder import Response
from ..sending import Receive, Scope
from ..sources.database.catalogue import ById, Identifier
from ..sources.database.database_catalogue import DatabaseCatalogue
from .redirecting import redirect, sends_itself

__all__ = ["RedirectingFiles"]


class RedirectingFiles(Downloads):
    """Responds to a request for a file with a redirect (307) to a signed URL of its object; see `redirect`.

    If the bytes of a file are not in S3, or if there is no key to sign with, this class sends them as `Downloads` does.
    """

    def __init__(
        self, catalogue: DatabaseCatalogue, identifier: Identifier, seconds: int, *, attachment: bool, **options: Any
    ) -> None:
        super().__init__(ById(catalogue, identifier), attachment=attachment, **options)
        self._catalogue = catalogue
        self._identifier: Identifier = identifier
        self._seconds = seconds
        self._saves = attachment

    async def respond(self, scope: Scope, key: str | None = None, *, receive: Receive | None = None) -> Response:
        """Return the redirect. Raises NotFound if no file has the identifier."""
        if refused := refusal(scope):
            return refused
        place = None
        if not sends_itself(scope):
            place = await self._catalogue.signed_place(key_of(scope) if key is None else key, self._identifier)
        if place is None:
            return await super().respond(scope, key, receive=receive)
        signer, stored_key, name = place
        return redirect(scope, signer, stored_key, name, seconds=self._seconds, attachment=self._saves)
