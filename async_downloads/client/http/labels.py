"""Content-Encoding labels that say something about the file, not about its transfer.

A request asks for no coding. A server that labels `x.tar.gz` with `Content-Encoding: gzip` means the file itself; so do
labels that are no content coding at all, such as `utf-8`, `none` or `aws-chunked`.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from ...semantics.suggested_name import suggested_filename

__all__ = ["coding_to_remove", "removable_coding"]


_REMOVED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_OTHERS: Final = frozenset({"br", "zstd", "compress", "x-compress"})  # nothing here can take them off
_GZIP_NAME: Final = re.compile(
    r"\.(?:t?gz|gzip|taz|tpz|svgz|emz|wmz|z|dz|cpgz|apkg|v?bgz|bgzf|vgz|crate)\Z", re.IGNORECASE
)
_GZIP_TYPE: Final = re.compile(
    r"application/(?:(?:x-)?gzip(?:-compressed)?|x-(?:compressed(?:-tar)?|gunzip|tgz|tar-gz|gtar-compressed)"
    r"|tar\+gzip|gzipped|gzip-document|x-tar|x-gtar)\Z",
    re.IGNORECASE,
)


def coding_to_remove(fields: Mapping[str, str], *paths: str) -> str | None:
    """Return the content coding to take off a body; None if the bytes that are sent are the file.

    `fields` is looked up by names in lower case; `paths` are those of the URLs, as they may name the file.
    """
    return None if _is_compressed(fields, paths) else removable_coding(fields)


def removable_coding(fields: Mapping[str, str]) -> str | None:
    """Return the content coding that a body is labelled with, if it can be taken off, whatever the file is."""
    labels = [label.strip().lower() for label in fields.get("content-encoding", "").split(",")]
    codings = [label for label in labels if label in _REMOVED | _OTHERS]
    return codings[0] if len(codings) == 1 and codings[0] in _REMOVED else None


def _is_compressed(fields: Mapping[str, str], paths: tuple[str, ...]) -> bool:
    """Whether the media type or a name says that the file itself is compressed."""
    media_type = fields.get("content-type", "").partition(";")[0].strip()
    names = [suggested_filename(fields.get("content-disposition", "")) or "", *map(unquote, paths)]
    return bool(_GZIP_TYPE.match(media_type)) or any(_GZIP_NAME.search(name.strip()) for name in names)
