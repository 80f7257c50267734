"""`send_file` and similar functions: they make a source and a policy from the arguments of a view."""

import os
import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final, NoReturn, TypedDict, Unpack, cast

from quart import abort, current_app, request
from werkzeug.exceptions import HTTPException, ServiceUnavailable
from werkzeug.security import safe_join
from werkzeug.utils import get_content_type

from ..asgi import log_failure, request_head, request_line
from ..content import Content, Moment, OpenedContent, described, etag_of, open_content, policy_of
from ..deprecation import accepting_former_names
from ..errors import DownloadError, SourceBusy
from ..offload import Offload
from ..recent_paths import open_in_thread
from ..responder import respond
from ..semantics.dates import format_date
from ..semantics.plan import Policy
from ..semantics.representation import Field, Representation, RequestHead
from ..sending import Scope
from ..sources.base import EtagKind, Source
from ..sources.directory import DirectoryStore
from ..sources.media_types import media_type
from ..sources.paths import PathLike
from ..timeouts import STALL_TIMEOUT
from ..wanted_digests import with_digest
from .response import DownloadResponse, response_of

__all__ = [
    "ContentOptions", "SendOptions", "abort_for", "http_exception", "send_file", "send_from_directory",
    "send_from_store", "send_source",
]  # fmt: skip


MaxAge = int | Callable[[str | None], int | None] | None
_stores: "dict[tuple[str, bool, EtagKind], DirectoryStore]" = {}
_MAX_STORES: Final = 64


class ContentOptions(TypedDict, total=False):
    """The options of `send_archive`: those of `send_file` that its own parameters do not replace."""

    mimetype: str | None
    download_name: str | None
    conditional: bool
    etag: bool | str
    last_modified: Moment | None
    max_age: MaxAge


class SendOptions(ContentOptions, total=False):
    """The options of `send_file` that the functions around it pass on."""

    as_attachment: bool


@accepting_former_names(filename_or_fp="path_or_file", filename_or_io="path_or_file")
async def send_file(
    path_or_file: Content | None,
    mimetype: str | None = None,
    as_attachment: bool = False,
    download_name: str | None = None,
    conditional: bool = True,
    etag: bool | str = True,
    last_modified: Moment | None = None,
    max_age: MaxAge = None,
) -> DownloadResponse:
    """Return a response with a file: `flask.send_file`, with ranges and conditions by RFC 9110.

    A path is relative to `app.root_path` and must not come from a client: use `send_from_directory` for that. None,
    which `safe_join` returns for an unsafe path, is a 404. A file object is read from its current position, then
    closed. `last_modified` is a date or seconds since 1970, `max_age` is seconds.

    Raises the same errors as Flask: OSError if the path cannot be opened, TypeError if no name gives the media type or
    the attachment's name, ValueError if the file is open in text mode. It also raises TypeError for bytes that are the
    path of a file, because bytes are sent as content.
    """
    if path_or_file is None:
        abort(404)
    opened = await _open(path_or_file)
    found = opened.source.representation
    try:
        name = found.filename if download_name is None else download_name
        media = found.media_type if mimetype is None and opened.typed else _content_type(mimetype, name)
        if as_attachment and name is None:
            raise TypeError("an attachment needs a name: give 'download_name', or a path")
        selected = described(found, filename=name, media_type=media, etag=etag_of(etag), last_modified=last_modified)
        policy = policy_of(
            attachment=as_attachment,
            has_name=bool(name),
            conditional=conditional,
            fields=_caching(max_age, opened.path),
            secret=current_app.config.get("DOWNLOAD_SECRET"),
        )
    except BaseException:
        await opened.source.aclose()
        raise
    return await _respond(opened, selected, policy)


@accepting_former_names(filename="path", file_name="path")
async def send_from_directory(directory: PathLike, path: PathLike, **options: Unpack[SendOptions]) -> DownloadResponse:
    """Return a response with a file below a directory, or abort with 404; `options` are those of `send_file`.

    The path may come from a client: files outside the directory are never sent, not even through symbolic links.
    """
    return await send_from_store(directory, path, hidden=True, **options)


async def send_from_store(
    directory: PathLike, path: PathLike, *, hidden: bool, **options: Unpack[SendOptions]
) -> DownloadResponse:
    """Do what `send_from_directory` does; without `hidden`, send no file whose name or place begins with a dot."""
    key = _key(os.fspath(path))
    if key is None:
        abort(404)
    try:
        store = await _store(os.path.join(current_app.root_path, directory), hidden)
        source = await store.open(key)
    except NotADirectoryError:  # as in Flask, a missing directory is no error of the view
        abort(404)
    except DownloadError as error:
        abort_for(error)
    opened: Any = OpenedContent(source, f"{store.directory}/{key}", typed=False)  # no content that a view may give
    return await send_file(opened, **options)


@accepting_former_names()
async def send_source(source: Source, **options: Unpack[SendOptions]) -> DownloadResponse:
    """Return a response with any `Source`, and close the source after use; `options` are those of `send_file`."""
    return await send_file(source, **options)


async def _open(content: object) -> OpenedContent:
    try:
        opened = await open_content(content, current_app.root_path, kind=_etag_kind())
        return opened if _is_offloaded(opened) else opened._replace(source=await with_digest(opened.source, _head()))
    except DownloadError as error:
        abort_for(error)


def _etag_kind() -> EtagKind:
    kind: EtagKind = current_app.config.get("DOWNLOAD_ETAG", "exact")
    return kind


def _head() -> RequestHead:
    return request_head(cast("Scope", request.scope))


@lru_cache(maxsize=1024)
def _content_type(mimetype: str | None, name: str | None) -> str:
    if mimetype is None and name is None:
        raise TypeError("the media type is unknown: give 'mimetype' or 'download_name', or a path")
    return get_content_type(mimetype or media_type(name or "").partition(";")[0], "utf-8")


def _caching(max_age: MaxAge, path: str | None) -> tuple[Field, ...]:
    setting = current_app.get_send_file_max_age if max_age is None else max_age
    seconds = setting(path) if callable(setting) else setting
    if seconds is None:
        return (("Cache-Control", "no-cache"),)
    seconds = int(seconds)  # delta-seconds are digits (RFC 9111 §1.2.2), but callers may give a float
    # A shared cache must not give one user's file to another one. Not every version of Quart reports whether a view
    # has read the session.
    is_personal = "Authorization" in request.headers or current_app.secret_key
    audience = "private" if is_personal else "public"
    control = f"{audience}, max-age={seconds}" if seconds > 0 else f"no-cache, max-age={seconds}"
    return (("Cache-Control", control), ("Expires", format_date(int(time.time()) + seconds)))


@lru_cache(maxsize=1024)
def _key(path: str) -> str | None:
    joined = safe_join("", path)
    return joined and joined.removeprefix("./")


async def _store(directory: str, hidden: bool) -> DirectoryStore:
    """Return the store of a directory. It is made in a thread, because a file system may not respond."""
    key = directory, hidden, _etag_kind()
    if not (store := _stores.get(key)):
        make = partial(DirectoryStore, directory, hidden=hidden, precompressed=False, etag=key[2])
        if len(_stores) >= _MAX_STORES:
            _stores.clear()
        store = _stores[key] = await open_in_thread(directory, make)
    return store


def abort_for(error: DownloadError) -> NoReturn:
    """Raise the HTTP exception for an error of `open`; log the error unless it is NotFound."""
    log_failure(error, request_line(cast("Scope", request.scope)))
    raise http_exception(error) from error


def http_exception(error: DownloadError) -> HTTPException:
    """Return the HTTP exception with the status of an error, as `abort` raises it."""
    if isinstance(error, SourceBusy):
        return ServiceUnavailable(retry_after=error.retry_after)
    try:
        abort(error.status)
    except HTTPException as failure:
        return failure


def _is_offloaded(opened: OpenedContent) -> bool:
    """Whether a server in front sends the file, as in Flask with `USE_X_SENDFILE`."""
    return bool(opened.path and current_app.config.get("USE_X_SENDFILE"))


async def _respond(opened: OpenedContent, selected: Representation, policy: Policy) -> DownloadResponse:
    head, source = _head(), opened.source
    if opened.path and _is_offloaded(opened):
        offloaded = await Offload("X-Sendfile").respond(head, source, policy, opened.path, selected=selected)
        return response_of(offloaded, head, None)
    stall_timeout = current_app.config.get("DOWNLOAD_STALL_TIMEOUT", STALL_TIMEOUT)
    try:
        planned = await respond(head, source, policy, selected=selected, stall_timeout=stall_timeout, replannable=True)
    except DownloadError as error:
        abort_for(error)
    return response_of(planned, head, policy)
