"""Fields of responses whose values come from a file or from the settings: the responses to many clients share them.

Only these may be in a cache. A field of another name may hold a secret of one client (Set-Cookie, Location), which
would stay in memory, or it differs in each response (Content-Range) and would push shared fields out of the cache.
"""

from collections.abc import Callable, Hashable
from typing import Final, TypeVar

__all__ = ["FIELDS", "HEADS", "SharedCache", "are_shared", "is_shared"]


FIELDS: Final = 4096  # fields in a cache; each takes less than 1 KB
HEADS: Final = 256  # heads in a cache; each takes less than 8 KB
_SHARED_BYTES: Final = 200  # in a value; a longer value may come from a client
_SHARED_NAMES: Final = frozenset((
    b":status", b"accept-ranges", b"cache-control", b"content-disposition", b"content-encoding", b"content-language",
    b"content-length", b"content-type", b"date", b"etag", b"last-modified", b"referrer-policy", b"repr-digest",
    b"server", b"strict-transport-security", b"vary", b"x-content-type-options",
))  # fmt: skip
_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


def is_shared(field: tuple[bytes, bytes]) -> bool:
    """Return whether a field may be in a cache. Its name must be in lower case.

    >>> is_shared((b"content-type", b"text/plain")), is_shared((b"set-cookie", b"a=b"))
    (True, False)
    """
    name, value = field
    return name in _SHARED_NAMES and len(value) < _SHARED_BYTES


def are_shared(fields: tuple[tuple[bytes, bytes], ...]) -> bool:
    """Return whether all fields of a response may be in a cache."""
    return all(map(is_shared, fields))


class SharedCache(dict[_Key, _Value]):
    """Caches the results of a function. `cache[key]` calls the function unless it has the result for an equal key.

    A result is kept if `may_keep(key)` is true. When `most` results are kept, all of them are forgotten.
    """

    def __init__(self, make: Callable[[_Key], _Value], may_keep: Callable[[_Key], bool], most: int) -> None:
        super().__init__()
        self._make = make
        self._may_keep = may_keep
        self._most = most

    def __missing__(self, key: _Key) -> _Value:
        """Call the function with the key."""
        value = self._make(key)
        if self._may_keep(key):
            if len(self) >= self._most:
                self.clear()
            self[key] = value
        return value
