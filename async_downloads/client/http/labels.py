"""Content-Encoding fields that describe the file and not its transfer.

A request asks for no content coding. A server that sends `x.tar.gz` with `Content-Encoding: gzip` describes the file
itself. So do values that are not content codings at all, such as `utf-8`, `none` or `aws-chunked`.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from ...semantics.suggested_name import suggested_filename

__all__ = ["coding_to_remove", "removable_coding"]


_REMOVED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_OTHERS: Final = frozenset({"br", "zstd", "compress", "x-compress"})  # codings that this client cannot decode
_GZIP_NAME: Final = re.compile(
    r"\.(?:t?gz|gzip|taz|tpz|svgz|emz|wmz|z|dz|cpgz|apkg|v?bgz|bgzf|vgz|crate)\Z", re.IGNORECASE
)
_GZIP_TYPE: Final = re.compile(
    r"application/(?:(?:x-)?gzip(?:-compressed)?|x-(?:compressed(?:-tar)?|gunzip|tgz|tar-gz|gtar-compressed)"
    r"|tar\+gzip|gzipped|gzip-document|x-tar|x-gtar)\Z",
    re.IGNORECASE,
)


def coding_to_remove(fields: Mapping[str, str], *paths: str) -> str | None:
    """Return the content coding to remove from a body; None if the body is the file itself.

    The names in `fields` are in lower case. `paths` are the paths of the URLs, because they may end with the file's
    name.
    """
    return None if _is_compressed(fields, paths) else removable_coding(fields)


def removable_coding(fields: Mapping[str, str]) -> str | None:
    """Return the content coding in the fields if this client can decode it, whatever the file is; otherwise None.

    If there are several codings, they are in the order in which the server applied them, with ", " between them.
    """
    labels = [label.strip().lower() for label in fields.get("content-encoding", "").split(",")]
    codings = [label for label in labels if label in _REMOVED | _OTHERS]
    return ", ".join(codings) if codings and _REMOVED.issuperset(codings) else None


def _is_compressed(fields: Mapping[str, str], paths: tuple[str, ...]) -> bool:
    """Return whether the media type or a name says that the file itself is compressed."""
    media_type = fields.get("content-type", "").partition(";")[0].strip()
    names = [suggested_filename(fields.get("content-disposition", "")) or "", *map(unquote, paths)]
    return bool(_GZIP_TYPE.match(media_type)) or any(_GZIP_NAME.search(name.strip()) for name in names)
