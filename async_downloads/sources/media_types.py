"""Media types by file name. They are the same on every machine, because the system's own tables are not used."""

from functools import lru_cache
from mimetypes import MimeTypes
from typing import Final

__all__ = ["DEFAULT", "media_type"]


DEFAULT: Final = "application/octet-stream"
# Types that Python's own table lacks in at least one supported version. A `.tar.gz` is a gzip file, not a tar file
# with a content coding.
_ADDED_TYPES: Final = {
    ".7z": "application/x-7z-compressed",
    ".avif": "image/avif",
    ".br": "application/x-brotli",
    ".bz2": "application/x-bzip2",
    ".deb": "application/vnd.debian.binary-package",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".geojson": "application/geo+json",
    ".gz": "application/gzip",
    ".ico": "image/vnd.microsoft.icon",
    ".ipynb": "application/x-ipynb+json",
    ".js": "text/javascript",
    ".jsonl": "application/jsonl",
    ".jxl": "image/jxl",
    ".log": "text/plain",
    ".m4a": "audio/mp4",
    ".md": "text/markdown",
    ".mkv": "video/matroska",
    ".oga": "audio/ogg",
    ".mjs": "text/javascript",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/opus",
    ".otf": "font/otf",
    ".parquet": "application/vnd.apache.parquet",
    ".rst": "text/x-rst",
    ".toml": "application/toml",
    ".ttf": "font/ttf",
    ".tgz": "application/gzip",
    ".wasm": "application/wasm",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
}
_TYPES: Final = {**MimeTypes().types_map[1], **_ADDED_TYPES}


@lru_cache(maxsize=1024)
def media_type(name: str) -> str:
    """Return the media type for the extension of a file name. Text types get the charset UTF-8.

    >>> media_type("notes.TXT"), media_type("backup.tar.gz"), media_type("Makefile")
    ('text/plain; charset=utf-8', 'application/gzip', 'application/octet-stream')
    """
    stem, dot, extension = name.rpartition(".")
    found = _TYPES.get(f".{extension.lower()}", DEFAULT) if stem and dot else DEFAULT
    return f"{found}; charset=utf-8" if found.startswith("text/") else found
