"""`send_file` and similar functions: they make a source and a policy from the arguments of a view."""

import errno
import logging
import os
import re
import time
from collections.abc import AsyncIterable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, BinaryIO, Final, NamedTuple, NoReturn, cast
from urllib.parse import quote

from quart import abort, current_app, request
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.security import safe_join
from werkzeug.utils import get_content_type

from ..asgi import request_head, request_line
from ..deprecation import accepting_former_names
from ..errors import DownloadError, NotFound, SourceBusy
from ..offload import Offload
from ..recent_paths import RecentPaths, open_in_thread
from ..responder import boundary_secret, respond
from ..semantics.dates import format_date
from ..semantics.disposition import Disposition
from ..semantics.etags import ETag
from ..semantics.plan import Plan, Policy, plan
from ..semantics.representation import Field, Representation, RequestHead, Validators
from ..sending import Scope
from ..source_events import note_failure
from ..sources.base import EtagKind, Source
from ..sources.directory import DirectoryStore
from ..sources.directory_file import DirectoryFile
from ..sources.media_types import media_type
from ..sources.opening import describe, open_regular
from ..sources.streams import source_of
from ..timeouts import STALL_TIMEOUT
from ..wanted_digests import with_digest
from .response import DownloadResponse, response_of

__all__ = ["abort_for", "send_file", "send_from_directory", "send_from_store", "send_source"]


PathLike = str | os.PathLike[str]
Chunks = AsyncIterable[bytes | str] | Iterator[bytes | str]
MaxAge = int | Callable[[str | None], int | None] | None
_log = logging.getLogger("async_downloads")
_recent_paths = RecentPaths()
_stores: "dict[tuple[str, bool, EtagKind], DirectoryStore]" = {}
_MAX_STORES: Final = 64
_NOT_IN_A_TAG = re.compile(r"[^\x21-\x7e]")  # a quote is left to ETag, which raises ValueError
_LIKE_A_PATH = re.compile(rb"[^\0-\x1f]{0,255}/[^\0-\x1f]{1,255}")


@accepting_former_names(filename_or_fp="path_or_file", filename_or_io="path_or_file")
async def send_file(
    path_or_file: "PathLike | bytes | bytearray | memoryview | BinaryIO | Chunks | Source | _Opened | None",
    mimetype: str | None = None,
    as_attachment: bool = False,
    download_name: str | None = None,
    conditional: bool = True,
    etag: bool | str = True,
    last_modified: datetime | float | None = None,
    max_age: MaxAge = None,
) -> DownloadResponse:
    """Return a response with a file: `flask.send_file`, with ranges and conditions by RFC 9110.

    A path is relative to `app.root_path` and must not come from a client: use `send_from_directory` for that. None,
    which `safe_join` returns for an unsafe path, is a 404. A file object is read from its current position, then
    closed. `last_modified` is seconds since 1970, `max_age` is seconds.

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
    return await _respond(opened, selected, policy)


@accepting_former_names(filename="path", file_name="path")
async def send_from_directory(directory: PathLike, path: PathLike, **options: Any) -> DownloadResponse:
    """Return a response with a file below a directory, or abort with 404; `options` are those of `send_file`.

    The path may come from a client: files outside the directory are never sent, not even through symbolic links.
    """
    return await send_from_store(directory, path, hidden=True, **options)


async def send_from_store(directory: PathLike, path: PathLike, *, hidden: bool, **options: Any) -> DownloadResponse:
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
    return await send_file(_Opened(source, f"{store.directory}/{key}", typed=False), **options)


@accepting_former_names()
async def send_source(source: Source, **options: Any) -> DownloadResponse:
    """Return a response with any `Source`, and close it after use; `options` are those of `send_file`."""
    return await send_file(source, **options)


class _Opened(NamedTuple):
    """A source, its path if it has one, and whether its own media type counts more than the one of its name."""

    source: Source
    path: str | None
    typed: bool


async def _open(content: object) -> _Opened:
    try:
        opened = content if isinstance(content, _Opened) else await _open_source(content)
        return opened if _is_offloaded(opened) else opened._replace(source=await with_digest(opened.source, _head()))
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:  # the process has no free descriptor: not the view's mistake
            raise ServiceUnavailable(retry_after=1) from error
        raise
    except DownloadError as error:
        abort_for(error)


async def _open_source(content: object) -> _Opened:
    if isinstance(content, (str, os.PathLike)):
        path = os.path.join(current_app.root_path, content)
        file = await _recent_paths.open(path, partial(_open_path, path, _etag_kind()), discard=DirectoryFile.close)
        return _Opened(file, path, typed=False)
    if isinstance(content, bytes) and _LIKE_A_PATH.fullmatch(content):
        path = os.path.join(current_app.root_path, os.fsdecode(content))
        if await open_in_thread(path, partial(os.path.isfile, path)):
            raise TypeError(f"{content!r} is a path in bytes: give os.fsdecode(path)")
    source = content if isinstance(content, Source) else source_of(content)
    return _Opened(source, None, typed=source is content)


def _open_path(path: str, kind: EtagKind) -> DirectoryFile:
    file, status = open_regular(path)
    return DirectoryFile(file, describe(status, os.path.basename(path)), path=path, kind=kind)


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


def _validators(found: Validators, etag: bool | str, last_modified: datetime | float | None) -> Validators:
    tag = ETag(_NOT_IN_A_TAG.sub(_percent_encoded, etag)) if isinstance(etag, str) else found.etag if etag else None
    if isinstance(last_modified, datetime):
        last_modified = last_modified.replace(tzinfo=last_modified.tzinfo or UTC).timestamp()
    return Validators(tag, found.last_modified if last_modified is None else int(last_modified))


def _percent_encoded(found: re.Match[str]) -> str:
    return quote(found[0])


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


@lru_cache(maxsize=64)
def _policy(
    disposition: Disposition | None, conditional: bool, fields: tuple[Field, ...], secret: str | None
) -> Policy:
    return Policy(disposition=disposition, conditional=conditional, fields=fields, secret=boundary_secret(secret))


def abort_for(error: DownloadError) -> NoReturn:
    """Raise the HTTP exception for an error of `open`; log the error unless it is NotFound."""
    note_failure(error)
    if not isinstance(error, NotFound):
        _log.warning("%s: %d: %s", request_line(cast("Scope", request.scope)), error.status, error)
    if isinstance(error, SourceBusy):
        raise ServiceUnavailable(retry_after=error.retry_after) from error
    abort(error.status)


def _is_offloaded(opened: _Opened) -> bool:
    """Whether a server in front sends the file, as in Flask with `USE_X_SENDFILE`."""
    return bool(opened.path and current_app.config.get("USE_X_SENDFILE"))


async def _respond(opened: _Opened, selected: Representation, policy: Policy) -> DownloadResponse:
    head, source = _head(), opened.source
    if opened.path and _is_offloaded(opened):
        offloaded = await Offload("X-Sendfile").respond(head, source, policy, opened.path, selected=selected)
        return response_of(offloaded, lambda: Plan(offloaded.status, offloaded.fields))
    stall_timeout = current_app.config.get("DOWNLOAD_STALL_TIMEOUT", STALL_TIMEOUT)
    try:
        planned = await respond(head, source, policy, selected=selected, stall_timeout=stall_timeout, replannable=True)
    except DownloadError as error:
        abort_for(error)
    # The source may have been described again since `selected` was made.
    return response_of(planned, lambda: plan(head._replace(fields={}), planned.body.selected, policy))
