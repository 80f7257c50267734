"""The parameter of a URL that has the signature of a link. It is a secret: it belongs into no log."""

import re
from typing import Final

__all__ = ["FOLDER_SIGNATURE", "PARAMETER", "split_query", "without_signature"]


PARAMETER: Final = "signature"
FOLDER_SIGNATURE: Final = "async_downloads.folder_signature"  # in the scope of a request that such a link has opened
_PREFIX: Final = f"{PARAMETER}=".encode()
_VALUE: Final = re.compile(rb"(?<=[?&]" + _PREFIX + rb")[^&\s#]*")


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

    >>> without_signature(b"/a?zip&signature=abc")
    b'/a?zip&signature=***'
    """
    return _VALUE.sub(b"***", target) if _PREFIX in target else target
