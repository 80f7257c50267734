"""Access control of the site: requests need a password or a signed link, and all responses are private."""

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..access.accounts import Accounts, split_account
from ..access.cookies import cookie_of, tokens_in
from ..access.password_check import PasswordCheck
from ..access.private_responses import PrivateResponse, send_private
from ..access.protected_paths import ProtectedPaths
from ..access.signature_parameter import FOLDER_SIGNATURE, LINK, split_query
from ..access.signer import Link, Signer, full_path, secrets_of
from ..asgi import NO_STORE, error_response, response_to_error
from ..client_address import client_of
from ..config import Settings
from ..errors import DownloadError
from ..request_target import in_normal_form, in_origin_form, key_of, normalized
from ..responder import Response
from ..sending import Receive, Scope, Send, send_response
from ..sources.paths import name_of
from .html import ASSETS
from .stored import PREFIX, shows

__all__ = ["Access", "AccessGate", "access_gate", "check_access", "is_private", "missing_paths"]


_CHALLENGE: Final = ("WWW-Authenticate", 'Basic realm="files", charset="UTF-8"')
_NO_REFERRER: Final = ("Referrer-Policy", "no-referrer")
_PUBLIC_KEYS: Final = frozenset(ASSETS.values())  # the style and the script of the pages hold no secrets


class Access(NamedTuple):
    """Who may read the private paths: users with passwords, and clients with links of the signer."""

    accounts: Accounts | None
    signer: Signer | None


def is_private(settings: Settings) -> bool:
    """Return whether the settings protect any path."""
    return bool(settings.auth or settings.auth_file or settings.auth_path)


def access_gate(app: Any, settings: Settings, access: Access | None = None) -> Any:
    """Return the app behind an `AccessGate`, or the app itself if the settings protect nothing.

    If the settings name no user and no file of users, only signed links open the protected paths. `access` is what
    `check_access` has returned, so that the file of users is not read again. Raises ValueError or OSError as
    `check_access` does.
    """
    if not is_private(settings):
        return app
    accounts, signer = access or check_access(settings)
    passwords = PasswordCheck(accounts) if accounts else None
    return AccessGate(app, ProtectedPaths(settings.auth_path), passwords=passwords, signer=signer)


def check_access(settings: Settings) -> Access:
    """Return the users and the signer that the settings name.

    Raises ValueError if the settings contradict each other or the file of users has a wrong line, and OSError if that
    file cannot be read.
    """
    accounts = signer = None
    if settings.auth or settings.auth_file:
        accounts = Accounts(map(split_account, settings.auth), settings.auth_file)
        _check_place(settings)
    if accounts or settings.auth_path:
        secrets = secrets_of(settings.secret or "")
        signer = Signer(secrets) if secrets else None
        _check_paths(settings)
    if settings.auth_path and not (accounts or signer):
        raise ValueError("--auth-path needs --auth, --auth-file, or --secret (for signed links)")
    return Access(accounts, signer)


def _check_place(settings: Settings) -> None:
    for folder in settings.folders:
        if settings.auth_file and shows(folder, settings.auth_file, hidden=settings.hidden):
            raise ValueError(f"{settings.auth_file} is in {folder}, which is served: move it to another folder")


def _check_paths(settings: Settings) -> None:
    """Raise ValueError if a protected path is a file.

    The folder's page and its README show the content of files under the folder's own path, which is not protected.
    """
    for path in settings.auth_path:
        name = normalized(path).strip("/")
        if settings.database and name.casefold().startswith(f"{PREFIX}/"):
            raise ValueError(f"--auth-path {path}: a file of the database has several URLs: protect /{PREFIX} instead")
        if any(place.is_file() for place in _places(settings, name)):
            raise ValueError(f"--auth-path {path} is a file: give its folder instead")


def _places(settings: Settings, name: str) -> list[Path]:
    """Return where a path of the site may be in the file system."""
    top, _, rest = name.partition("/")
    places = [each / rest for each in settings.paths if name_of(each) == top]
    return [*places, settings.directory / name] if settings.directory else places


def missing_paths(settings: Settings) -> list[str]:
    """Return the protected paths that name no folder, perhaps because of a typing error.

    If the site has more than files and folders, this is not known, and the result is empty.
    """
    if settings.database or settings.objects or set(settings.folders) - {settings.directory, *settings.paths}:
        return []
    names = {path: normalized(path).strip("/") for path in settings.auth_path}
    return [path for path, name in names.items() if name and not any(map(os.path.exists, _places(settings, name)))]


class AccessGate:
    """An ASGI app around another one: it passes on only the requests that have access.

    remembered password ──────────────────────────> the app
    signature of a link, in the query or a cookie ─> the app, without the signature
    another password ── right ─────────────────────> the app
    none of them ──────────────────────────────────> 401, 403, 410 or 429
    """

    def __init__(
        self, app: Any, paths: ProtectedPaths, *, passwords: PasswordCheck | None, signer: Signer | None
    ) -> None:
        self._pass: Callable[..., Awaitable[None]] = app
        self._paths = paths
        self._passwords = passwords
        self._signer = signer

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request, and pass other scopes on.

        Most requests have a password that is remembered. They need no coroutine here.
        """
        if scope["type"] != "http":
            return self._pass(scope, receive, send)
        credentials = _credentials(scope)
        if credentials and self._passwords and self._passwords.is_remembered(credentials):
            return self._pass(scope, receive, partial(send_private, send))
        return self._check(in_origin_form(scope), credentials, receive, PrivateResponse(send))

    async def _check(self, scope: Scope, credentials: bytes | None, receive: Receive, private: PrivateResponse) -> None:
        try:
            scope, refused = await self._admit(scope, credentials, private)
        except DownloadError as error:
            refused = response_to_error(error, scope)
        if refused is None:
            await self._pass(scope, receive, private.send)
        else:
            fields = (*refused.fields, _NO_REFERRER)  # a signature that was changed may still open another path
            await send_response(refused._replace(fields=fields), scope, receive, private.send)

    async def _admit(
        self, scope: Scope, credentials: bytes | None, private: PrivateResponse
    ) -> tuple[Scope, Response | None]:
        """Return the scope for the app, and a response if the request is refused. Raises DownloadError.

        A user with a password has access even if the link is wrong.
        """
        if not self._paths.cover(scope) or key_of(scope) in _PUBLIC_KEYS:
            return scope, None
        link_error: DownloadError | None = None
        try:
            if opened := self._open_link(scope, private):
                return opened, None
        except DownloadError as error:
            link_error = error
        if credentials and self._passwords:
            verdict = await self._passwords.check(credentials, client_of(scope.get("client")) or "-")
            if verdict.is_right:
                return scope, None
            if verdict.retry_after:
                return scope, error_response(429, ("Retry-After", str(verdict.retry_after)), NO_STORE)
        if link_error is not None:
            raise link_error
        return scope, error_response(401, _CHALLENGE, NO_STORE) if self._passwords else error_response(403, NO_STORE)

    def _open_link(self, scope: Scope, private: PrivateResponse) -> Scope | None:
        """Return the scope without its signature if a link opens it, None if there is no link. Raises DownloadError."""
        if self._signer is None:
            return None
        if split_query(scope["query_string"])[0]:
            link, scope = self._signer.open(in_normal_form(scope))
            private.link, private.cookie = link, cookie_of(link, scope)
            return _opened_by(link, scope)
        client = scope.get("client")
        for token in tokens_in(scope):
            with suppress(DownloadError):
                link = self._signer.verify_token(token, full_path(scope), b"", client[0] if client else None)
                private.link = link
                return _opened_by(link, scope)
        return None


def _opened_by(link: Link, scope: Scope) -> Scope:
    """Return the scope with the link, and with the signature of a folder, which links in its pages need."""
    opened = {**scope, LINK: link}
    return opened if link.folder is None else {**opened, FOLDER_SIGNATURE: link.token}


def _credentials(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            credentials: bytes = value
            return credentials
    return None
