"""The parameter of a URL that has the signature of a link. It is a secret: it belongs into no log."""

import re
from typing import Final

from ..semantics.escaped_names import pattern_of

__all__ = ["FOLDER_SIGNATURE", "LINK", "PARAMETER", "split_query", "without_signature"]


PARAMETER: Final = "signature"
FOLDER_SIGNATURE: Final = "async_downloads.folder_signature"  # in the scope of a request that such a link has opened
LINK: Final = "async_downloads.link"  # the Link, in the scope of a request that it has opened
_PREFIX: Final = f"{PARAMETER}=".encode()
# A request whose link was changed is refused, but the signature in it is still valid. So the name counts in any case,
# with any character percent-encoded, and after the separators of other programs.
_VALUE: Final = re.compile(
    rb"((?:[?&;]|%3f|%26|%3b)" + pattern_of(PARAMETER).encode() + rb"(?:=|%3d))[^&\s#]*", re.IGNORECASE
)


def split_query(query: bytes) -> tuple[list[bytes], bytes]:
    """Return the signatures in a query, and the query without them.

    >>> split_query(b"zip&signature=abc&name=a")
    ([b'abc'], b'zip&name=a')
    """
    if _PREFIX not in query:
        return [], query
    fields = query.split(b"&")
    tokens = [field.removeprefix(_PREFIX) for field in fields if field.startswith(_PREFIX)]
    return tokens, b"&".join([field for field in fields if not field.startswith(_PREFIX)])


def without_signature(target: bytes) -> bytes:
    """Return a path with its query, or a whole request line, in which three stars stand for a signature.

    >>> without_signature(b"/a?zip&signature=abc"), without_signature(b"/a?%73ignature=abc&zip")
    (b'/a?zip&signature=***', b'/a?%73ignature=***&zip')
    """
    has_value = b"=" in target or b"%3" in target  # `%3d` is an equals sign; most targets have neither
    return _VALUE.sub(rb"\1***", target) if has_value else target
