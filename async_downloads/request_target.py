"""Read the path and the query of a request, and find the key and the parameters in them."""

import os
import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote, unquote_to_bytes

from .sending import Scope

__all__ = [
    "has_parameter", "in_normal_form", "in_origin_form", "key_of", "normalized", "wants_attachment", "with_whole_path",
]  # fmt: skip


_ODD_SEGMENT: Final = re.compile(r"/\.{0,2}/|/\.{1,2}\Z")  # empty, "." or ".."
_RECURRING_CHARACTERS: Final = 1024  # of a path in both forms; longer paths would fill the cache


def wants_attachment(query: bytes, *, default: bool) -> bool:
    """Whether a query asks to save the file (`?download`, `?attachment`) or to show it (`?inline`)."""
    if not query:
        return default
    return has_parameter(query, b"download", b"attachment") or (default and not has_parameter(query, b"inline"))


def has_parameter(query: bytes, *names: bytes) -> bool:
    """Whether a query has one of these parameters, with or without a value.

    >>> has_parameter(b"a=1&json", b"json"), has_parameter(b"a=json", b"json")
    (True, False)
    """
    return any(_parameter(name).search(query) is not None for name in names)


@lru_cache(maxsize=16)
def _parameter(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:\A|&)" + re.escape(name) + rb"(?:[=&]|\Z)")


def in_origin_form(scope: Scope) -> Scope:
    """Return the scope with `/path` in place of `http://host/path`, which servers must accept (RFC 9112 §3.2.2)."""
    path: str = scope["path"]
    if path.startswith("/"):
        return scope
    scheme, found, rest = path.partition("://")
    if not found or "/" in scheme:
        return scope
    raw = scope.get("raw_path") or b""
    return {
        **scope,
        "path": "/" + rest.partition("/")[2],
        "raw_path": b"/" + raw.partition(b"://")[2].partition(b"/")[2],
    }


def with_whole_path(scope: Scope) -> Scope:
    """Return the scope of a mounted app in which the path begins with `root_path`, as ASGI requires.

    Two frameworks do it in another way. In Starlette, `root_path` begins with `app_root_path`, which a proxy has
    removed from the path. Litestar removes the path of the mount from `path` and from `root_path`, but not from
    `raw_path`.
    """
    path, root, raw = scope["path"], scope.get("root_path", ""), scope.get("raw_path") or b""
    if root and _mount_length(path, root):
        return scope
    missing = scope.get("app_root_path", "")
    if missing and _mount_length(whole := f"{missing}{path}", root):
        return {**scope, "path": whole, "raw_path": quote(missing).encode("ascii") + raw if raw else raw}
    sent = unquote(raw.partition(b"?")[0])
    for each in (sent, f"{sent}/") if raw and sent != path else ():  # Litestar adds the slash
        root = each.removesuffix(path)
        if each.endswith(path) and not _ODD_SEGMENT.search(root):  # if the server has resolved "..", there is no mount
            return {**scope, "path": sent, "root_path": root}
    return scope


def key_of(scope: Scope) -> str:
    """Return the path below `root_path`, which is the key; bytes that are not UTF-8 become surrogates.

    The key has no segment that is empty, "." or "..". Only if the path leads above the top folder, the key begins with
    ".."; no store has such a key.
    """
    path, raw, root = scope["path"], scope.get("raw_path") or b"", scope.get("root_path", "")
    return (_recurring_key if len(path) + len(raw) < _RECURRING_CHARACTERS else _key)(path, raw, root)


def _key(path: str, raw: bytes, root: str) -> str:
    if "\ufffd" in path and raw:
        path = os.fsdecode(unquote_to_bytes(raw.partition(b"?")[0]))
    path = path[_mount_length(path, root) :]
    if path.endswith("/") and raw and not unquote_to_bytes(raw.partition(b"?")[0][-3:]).endswith(b"/"):
        path = path[:-1]  # Litestar passes "/name/" to a mounted app, whatever the client sent
    return normalized(path).removeprefix("/")  # a server may also pass `*` or an authority, which do not begin with /


_recurring_key: Final = lru_cache(maxsize=1024)(_key)  # each layer of an app asks for it


def in_normal_form(scope: Scope) -> Scope:
    """Return the scope with a normalized path, for apps that do not use `key_of`."""
    path: str = scope["path"]
    mount = _mount_length(path, scope.get("root_path", ""))
    normal = path[:mount] + normalized(path[mount:])
    return scope if normal == path else {**scope, "path": normal}


def _mount_length(path: str, root: str) -> int:
    """Return the length of `root_path` if the path begins with it; else 0: some servers leave it out of the path."""
    return len(root) if f"{path}/".startswith(f"{root}/") else 0


def normalized(path: str) -> str:
    """Remove the segments "", "." and ".." (RFC 3986 §5.2.4), but keep a ".." that leads above the top folder.

    >>> normalized("/a//b/./c/../d/"), normalized("/a/../../b"), normalized("/a/..")
    ('/a/b/d/', '/../b', '/')
    """
    if not _ODD_SEGMENT.search(path):
        return path
    first, *segments = path.split("/")
    kept: list[str] = []
    for segment in segments:
        if segment == ".." and kept and kept[-1] != "..":
            kept.pop()
        elif segment not in {"", "."}:
            kept.append(segment)
    is_directory = kept and segments[-1] in {"", ".", ".."} and kept[-1] != ".."
    return "/".join([first, *kept, ""] if is_directory or not kept else [first, *kept])
