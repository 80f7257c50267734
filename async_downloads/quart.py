"""Flask's download API on Quart: the same names, parameters and answers, to be awaited.

    from async_downloads import init_app, send_from_directory

    app = Quart(__name__)
    init_app(app)

    @app.get("/reports/<path:name>")
    async def report(name):
        return await send_from_directory("reports", name, as_attachment=True)

`init_app` sends a download the fast way; without it Quart's own loop sends it, correctly too. An `after_request` that
calls `await response.get_data()` pulls the whole body into memory.
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

from . import responder
from .asgi import request_head, request_line, response_to_error
from .deprecation import accepting_former_names
from .errors import DownloadError, NotFound, SourceBusy
from .recent_paths import RecentPaths
from .responder import Body, respond
from .semantics.dates import format_date
from .semantics.disposition import Disposition
from .semantics.etags import ETag
from .semantics.plan import Policy
from .semantics.representation import Field, Representation, Validators
from .sending import Scope, Send, send_response
from .sources.base import Source
from .sources.directory import DirectoryStore
from .sources.files import FileSource, describe, open_regular
from .sources.media_types import media_type
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
    """Answer the current request with a file: `flask.send_file`, with ranges and conditions by RFC 9110.

    A path is taken relative to `app.root_path` and must not come from a client: `send_from_directory` is for that.
    A file object is read from where it stands, and closed. `last_modified` and `max_age` are in seconds.

    Raises what Flask raises: OSError for a path that cannot be opened, TypeError without a name to tell the media
    type or to offer, ValueError for a file in text mode.
    """
    opened = await _open(path_or_file)
    told = opened.source.representation
    try:
        name = told.filename if download_name is None else download_name
        media = told.media_type if mimetype is None and opened.typed else _content_type(mimetype, name)
        if as_attachment and name is None:
            raise TypeError("an attachment needs a name: give 'download_name', or a path")
        validators = _validators(told.validators, etag, last_modified)
        selected = told
        if (name, media, validators) != (told.filename, told.media_type, told.validators):
            selected = replace(told, filename=name, media_type=media, validators=validators)
        disposition: Disposition | None = "attachment" if as_attachment else "inline" if name else None
        policy = _policy(disposition, conditional, _caching(max_age, opened.path))
    except BaseException:
        await opened.source.aclose()
        raise
    return await _answer(opened.source, selected, policy)


@accepting_former_names
async def send_from_directory(directory: PathLike, path: PathLike, **options: Any) -> Response:
    """Answer with a file below a directory, or 404; `options` are those of `send_file`.

    The path may come from a client: nothing outside the directory is sent, not through symbolic links either.
    """
    key = _key(os.fspath(path))
    if key is None:
        abort(404)
    store = _store(current_app.root_path, os.fspath(directory))
    try:
        source = await store.open(key)
    except DownloadError as error:
        _abort(error)
    return await send_file(_Opened(source, f"{store.directory}/{key}", typed=False), **options)


@accepting_former_names
async def send_source(source: Source, **options: Any) -> Response:
    """Answer with a source of your own, which this closes; `options` are those of `send_file`."""
    return await send_file(source, **options)


class _Opened(NamedTuple):
    """A source to send; its path, if it has one; whether it knows its media type better than its name does."""

    source: Source
    path: str | None
    typed: bool


async def _open(given: object) -> _Opened:
    try:
        return given if isinstance(given, _Opened) else await _found(given)
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:  # no mistake of the view
            raise ServiceUnavailable(retry_after=1) from error
        raise


async def _found(given: object) -> _Opened:
    if isinstance(given, (str, os.PathLike)):
        path = os.path.join(current_app.root_path, given)
        file = await _recent_paths.open(path, functools.partial(_open_path, path), discard=FileSource.close)
        return _Opened(file, path, typed=False)
    source = given if isinstance(given, Source) else source_of(given)
    return _Opened(source, None, typed=source is given)


def _open_path(path: str) -> FileSource:
    file, status = open_regular(path)
    return FileSource(file, describe(status, os.path.basename(path)), mtime_ns=status.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _content_type(mimetype: str | None, name: str | None) -> str:
    if mimetype is None and name is None:
        raise TypeError("nothing tells the media type: give 'mimetype' or 'download_name', or a path")
    return get_content_type(mimetype or media_type(name or "").partition(";")[0], "utf-8")


def _validators(found: Validators, etag: bool | str, last_modified: datetime | float | None) -> Validators:
    tag = ETag(etag) if isinstance(etag, str) else found.etag if etag else None
    if isinstance(last_modified, datetime):
        last_modified = last_modified.replace(tzinfo=last_modified.tzinfo or UTC).timestamp()
    return Validators(tag, found.last_modified if last_modified is None else int(last_modified))


def _caching(max_age: MaxAge, path: str | None) -> tuple[Field, ...]:
    told = current_app.get_send_file_max_age if max_age is None else max_age
    seconds = told(path) if callable(told) else told
    if seconds is None:
        return (("Cache-Control", "no-cache"),)
    seconds = int(seconds)  # delta-seconds are digits (RFC 9111 §1.2.2), and a float is easily given
    control = f"public, max-age={seconds}" if seconds > 0 else f"no-cache, max-age={seconds}"
    return (("Cache-Control", control), ("Expires", format_date(int(time.time()) + seconds)))


@functools.lru_cache(maxsize=1024)
def _key(path: str) -> str | None:
    joined = safe_join("", path)
    return joined and joined.removeprefix("./")


@functools.lru_cache(maxsize=64)
def _store(root_path: str, directory: str) -> DirectoryStore:
    return DirectoryStore(os.path.join(root_path, directory), hidden=True, precompressed=False)


@functools.lru_cache(maxsize=64)
def _policy(disposition: Disposition | None, conditional: bool, fields: tuple[Field, ...]) -> Policy:
    return Policy(disposition=disposition, conditional=conditional, fields=fields, secret=responder.BOUNDARY_SECRET)


def _abort(error: DownloadError) -> NoReturn:
    """Raise the HTTP exception that stands for what kept a source from being opened."""
    if not isinstance(error, NotFound):
        _log.warning("%s: %d: %s", request_line(cast("Scope", request.scope)), error.status, error)
    if isinstance(error, SourceBusy):
        raise ServiceUnavailable(retry_after=error.retry_after) from error
    abort(error.status)


async def _answer(source: Source, selected: Representation, policy: Policy) -> Response:
    head = request_head(cast("Scope", request.scope))
    patience = current_app.config.get("DOWNLOAD_STALL_TIMEOUT", STALL_TIMEOUT)
    try:
        reply = await respond(head, source, policy, selected=selected, stall_timeout=patience)
    except DownloadError as error:
        _abort(error)
    response = current_app.response_class(cast("ResponseBody", reply.body), reply.status, Headers(list(reply.fields)))
    if reply.fields[0][0] != "Content-Type":
        del response.headers["Content-Type"]  # a 304, 412 or 416 has none; Quart gave it its default
    response.timeout = None  # Quart's limit is for the whole answer: patience with each chunk takes its place
    return response


class DownloadConnection(ASGIHTTPConnection):
    """A connection of Quart's that sends downloads with `send_response`, and everything else as ever."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer the request; a download that had to be broken off is one line in the log."""
        try:
            await super().__call__(receive, send)
        except* DownloadError as group:
            for error in group.exceptions:
                _log.warning("%s: closed short: %s", request_line(cast("Scope", self.scope)), error)

    async def _send_response(self, send: ASGISendCallable, response: ResponseTypes) -> None:
        if isinstance(response.response, Body):
            reply = responder.Response(response.status_code, tuple(response.headers.items()), response.response)
            # Without `receive`: Quart itself watches for the client's leaving.
            await send_response(reply, cast("Scope", self.scope), None, cast("Send", send))
        else:
            await super()._send_response(send, response)


def init_app(app: Quart) -> None:
    """Send the app's downloads the fast way, and answer its `DownloadError`s with their status."""
    app.asgi_http_class = DownloadConnection
    app.register_error_handler(DownloadError, _answer_error)


async def _answer_error(error: DownloadError) -> Response:
    reply = response_to_error(error, cast("Scope", request.scope))
    return Response(reply.body.whole, reply.status, Headers(list(reply.fields)))
