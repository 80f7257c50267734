"""Which paths need a password or a link."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from ..request_target import has_parameter, key_of, normalized
from ..sending import Scope

__all__ = ["ProtectedPaths", "read_protected_path"]


def read_protected_path(text: str) -> str:
    """Read a path such as `/private`. Raises ValueError, with a message for the user, if it does not begin with "/"."""
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not a path that begins with /")
    return text


# Invisible characters. HFS+ ignores them in names, and so do folders of ext4 that ignore the case of letters.
_IGNORED: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_RECURRING_CHARACTERS: Final = 1024  # a longer key would take too much of the cache


class ProtectedPaths:
    """Folders that are protected with all that is below them; without any, the whole site is.

    Names are compared as file systems compare them that do not tell upper case from lower case, or one form of an
    accent from another. On other file systems that protects a few more names, but never fewer.
    """

    def __init__(self, folders: Iterable[str] = ()) -> None:
        self._folders = tuple(_folded(normalized(folder).strip("/")) for folder in folders)
        self._whole = not self._folders or "" in self._folders

    def cover(self, scope: Scope) -> bool:
        """Return whether a request needs a password. An archive needs one if anything in it may need one."""
        if self._whole:
            return True
        key = key_of(scope).removesuffix("/")
        key = (_recently_folded if len(key) < _RECURRING_CHARACTERS else _folded)(key)
        if any(_is_in(key, folder) for folder in self._folders):
            return True
        query = scope["query_string"]
        is_archive = bool(query) and has_parameter(query, b"zip", b"tar")
        return is_archive and any(_is_in(folder, key) for folder in self._folders)


def _is_in(key: str, folder: str) -> bool:
    return not folder or key == folder or key.startswith(f"{folder}/")


def _folded(key: str) -> str:
    """Return the form in which two keys are equal if any file system takes them for the same.

    >>> _folded("Straße/A ."), _folded("e\u0301") == _folded("\u00e9")
    ('strasse/a', True)
    """
    visible = _IGNORED.sub("", key)
    form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    return "/".join([segment.rstrip(" .") or segment for segment in form.split("/")])


_recently_folded = lru_cache(maxsize=1024)(_folded)
