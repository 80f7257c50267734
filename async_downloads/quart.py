"""Flask's download API on Quart: the same names, parameters and responses, but to be awaited.

    from async_downloads import init_app, send_from_directory

    app = Quart(__name__)
    init_app(app)

    @app.get("/reports/<path:name>")
    async def report(name):
        return await send_from_directory("reports", name, as_attachment=True)

With `init_app` this package sends the downloads, which is faster; without it Quart sends them, correctly too. An
`after_request` function that calls `await response.get_data()` reads the whole body into memory.
"""

import errno
import functools
import logging
import os
import time
from collections.abc import AsyncIterable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, BinaryIO, NamedTuple, NoReturn, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart import Quart, Response, abort, current_app, make_response, request
from quart.asgi import ASGIHTTPConnection
from quart.typing import ResponseTypes
from quart.wrappers.response import ResponseBody
from werkzeug.datastructures import Headers
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.security import safe_join
from werkzeug.utils import get_content_type

from .asgi import request_head, request_line, response_to_error
from .deprecation import accepting_former_names
from .errors import DownloadError, NotFound, SourceBusy
from .recent_paths import RecentPaths
from .responder import Body, boundary_secret, respond
from .responder import Response as DownloadResponse
from .semantics.dates import format_date
from .semantics.disposition import Disposition
from .semantics.etags import ETag
from .semantics.plan import Policy
from .semantics.representation import Field, Representation, Validators
from .sending import Scope, Send, send_response
from .sources.base import Source
from .sources.directory import DirectoryStore
from .sources.files import FileSource
from .sources.media_types import media_type
from .sources.opening import describe, open_regular
from .sources.streams import source_of
from .timeouts import STALL_TIMEOUT

__all__ = [
    "DownloadConnection",
    "abort",
    "init_app",
    "make_response",
    "safe_join",
    "send_file",
    "send_from_directory",
    "send_source",
]


PathLike = str | os.PathLike[str]
MaxAge = int | Callable[[str | None], int | None] | None
_log = logging.getLogger("async_downloads")
_recent_paths = RecentPaths()


ResponseBody.register(Body)


@accepting_former_names
async def send_file(
    path_or_file: "PathLike | bytes | bytearray | memoryview | BinaryIO | AsyncIterable[bytes] | Source | _Opened",
    mimetype: str | None = None,
    as_attachment: bool = False,
    download_name: str | None = None,
    conditional: bool = True,
    etag: bool | str = True,
    last_modified: datetime | float | None = None,
    max_age: MaxAge = None,
) -> Response:
    """Return a response with a file: `flask.send_file`, with ranges and conditions by RFC 9110.

    A path is relative to `app.root_path` and must not come from a client: use `send_from_directory` for that. A file
    object is read from its current position, then closed. `last_modified` is seconds since 1970, `max_age` is seconds.

    Raises the same errors as Flask: OSError if the path cannot be opened, TypeError if no name gives the media type or
    the attachment's name, ValueError if the file is open in text mode.
    """
    opened = await _open(path_or_file)
    found = opened.source.representation
    try:
        name = found.filename if download_name is None else download_name
        media = found.media_type if mimetype is None and opened.typed else _content_type(mimetype, name)
        if as_attachment and name is None:
            raise TypeError("an attachment needs a name: give 'download_name', or a path")
        validators = _validators(found.validators, etag, last_modified)
        selected = found
        if (name, media, validators) != (found.filename, found.media_type, found.validators):
            selected = replace(found, filename=name, media_type=media, validators=validators)
        disposition: Disposition | None = "attachment" if as_attachment else "inline" if name else None
        secret = current_app.config.get("DOWNLOAD_SECRET")
        policy = _policy(disposition, conditional, _caching(max_age, opened.path), secret)
    except BaseException:
        await opened.source.aclose()
        raise
    return await _respond(opened.source, selected, policy)


@accepting_former_names
async def send_from_directory(directory: PathLike, path: PathLike, **options: Any) -> Response:
    """Return a response with a file below a directory, or abort with 404; `options` are those of `send_file`.

    The path may come from a client: files outside the directory are never sent, not even through symbolic links.
    """
    return await send_from_store(directory, path, hidden=True, **options)


async def send_from_store(directory: PathLike, path: PathLike, *, hidden: bool, **options: Any) -> Response:
    """Do what `send_from_directory` does; without `hidden`, send no file whose name or place begins with a dot."""
    key = _key(os.fspath(path))
    if key is None:
        abort(404)
    try:
        store = _store(current_app.root_path, os.fspath(directory), hidden)
        source = await store.open(key)
    except NotADirectoryError:  # as in Flask, a missing directory is no error of the view
        abort(404)
    except DownloadError as error:
        _abort(error)
    return await send_file(_Opened(source, f"{store.directory}/{key}", typed=False), **options)


@accepting_former_names
async def send_source(source: Source, **options: Any) -> Response:
    """Return a response with any `Source`, and close it after use; `options` are those of `send_file`."""
    return await send_file(source, **options)


class _Opened(NamedTuple):
    """A source, its path if it has one, and whether its own media type counts more than the one of its name."""

    source: Source
    path: str | None
    typed: bool


async def _open(content: object) -> _Opened:
    try:
        return content if isinstance(content, _Opened) else await _open_source(content)
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:  # the process has no free descriptor: not the view's mistake
            raise ServiceUnavailable(retry_after=1) from error
        raise


async def _open_source(content: object) -> _Opened:
    if isinstance(content, (str, os.PathLike)):
        path = os.path.join(current_app.root_path, content)
        file = await _recent_paths.open(path, functools.partial(_open_path, path), discard=FileSource.close)
        return _Opened(file, path, typed=False)
    source = content if isinstance(content, Source) else source_of(content)
    return _Opened(source, None, typed=source is content)


def _open_path(path: str) -> FileSource:
    file, status = open_regular(path)
    return FileSource(file, describe(status, os.path.basename(path)))


@functools.lru_cache(maxsize=1024)
def _content_type(mimetype: str | None, name: str | None) -> str:
    if mimetype is None and name is None:
        raise TypeError("the media type is unknown: give 'mimetype' or 'download_name', or a path")
    return get_content_type(mimetype or media_type(name or "").partition(";")[0], "utf-8")


def _validators(found: Validators, etag: bool | str, last_modified: datetime | float | None) -> Validators:
    tag = ETag(etag) if isinstance(etag, str) else found.etag if etag else None
    if isinstance(last_modified, datetime):
        last_modified = last_modified.replace(tzinfo=last_modified.tzinfo or UTC).timestamp()
    return Validators(tag, found.last_modified if last_modified is None else int(last_modified))


def _caching(max_age: MaxAge, path: str | None) -> tuple[Field, ...]:
    setting = current_app.get_send_file_max_age if max_age is None else max_age
    seconds = setting(path) if callable(setting) else setting
    if seconds is None:
        return (("Cache-Control", "no-cache"),)
    seconds = int(seconds)  # delta-seconds are digits (RFC 9111 §1.2.2), but callers may give a float
    control = f"public, max-age={seconds}" if seconds > 0 else f"no-cache, max-age={seconds}"
    return (("Cache-Control", control), ("Expires", format_date(int(time.time()) + seconds)))


@functools.lru_cache(maxsize=1024)
def _key(path: str) -> str | None:
    joined = safe_join("", path)
    return joined and joined.removeprefix("./")


@functools.lru_cache(maxsize=64)
def _store(root_path: str, directory: str, hidden: bool) -> DirectoryStore:
    return DirectoryStore(os.path.join(root_path, directory), hidden=hidden, precompressed=False)


@functools.lru_cache(maxsize=64)
def _policy(
    disposition: Disposition | None, conditional: bool, fields: tuple[Field, ...], secret: str | None
) -> Policy:
    return Policy(disposition=disposition, conditional=conditional, fields=fields, secret=boundary_secret(secret))


def _abort(error: DownloadError) -> NoReturn:
    """Raise the HTTP exception for an error of `open`; log the error unless it is NotFound."""
    if not isinstance(error, NotFound):
        _log.warning("%s: %d: %s", request_line(cast("Scope", request.scope)), error.status, error)
    if isinstance(error, SourceBusy):
        raise ServiceUnavailable(retry_after=error.retry_after) from error
    abort(error.status)


async def _respond(source: Source, selected: Representation, policy: Policy) -> Response:
    head = request_head(cast("Scope", request.scope))
    stall_timeout = current_app.config.get("DOWNLOAD_STALL_TIMEOUT", STALL_TIMEOUT)
    try:
        download = await respond(head, source, policy, selected=selected, stall_timeout=stall_timeout)
    except DownloadError as error:
        _abort(error)
    body, headers = cast("ResponseBody", download.body), Headers(list(download.fields))
    response = current_app.response_class(body, download.status, headers)
    if download.fields[0][0] != "Content-Type":
        del response.headers["Content-Type"]  # Quart's default: a 304, 412 or 416 has no media type
    response.timeout = None  # Quart's limit is for the whole response; ours is for each chunk
    return response


class DownloadConnection(ASGIHTTPConnection):
    """A connection that sends downloads with `send_response`, and all other responses as Quart does."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Handle the request; log a download that fails after its start in one line."""
        try:
            await super().__call__(receive, send)
        except* DownloadError as group:
            for error in group.exceptions:
                _log.warning("%s: closed short: %s", request_line(cast("Scope", self.scope)), error)

    async def _send_response(self, send: ASGISendCallable, response: ResponseTypes) -> None:
        if isinstance(response.response, Body):
            download = DownloadResponse(response.status_code, tuple(response.headers.items()), response.response)
            # `receive` is None because Quart itself watches for the disconnect.
            await send_response(download, cast("Scope", self.scope), None, cast("Send", send))
        else:
            await super()._send_response(send, response)


def init_app(app: Quart) -> None:
    """Let this package send the app's downloads, and turn a DownloadError of a view into its status."""
    app.asgi_http_class = DownloadConnection
    app.register_error_handler(DownloadError, _respond_to_error)


async def _respond_to_error(error: DownloadError) -> Response:
    found = response_to_error(error, cast("Scope", request.scope))
    return Response(found.body.whole, found.status, Headers(list(found.fields)))
