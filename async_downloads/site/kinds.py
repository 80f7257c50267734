"""The kind of a file, found by its name. It decides which icon and which preview the file has."""

from typing import Final, Literal

from ..sources.media_types import DEFAULT, media_type

__all__ = ["Kind", "kind_of"]


Kind = Literal["dir", "image", "video", "audio", "pdf", "markdown", "text", "archive", "file"]
_BY_CLASS: Final[dict[str, Kind]] = {"image": "image", "video": "video", "audio": "audio", "text": "text"}
_MARKDOWN: Final = frozenset({"text/markdown"})
_TEXTS: Final = frozenset(
    f"application/{name}"
    for name in (
        "geo+json", "gml+xml", "gpx+xml", "json", "json5", "jsonl", "ld+json", "manifest+json", "n-quads", "n-triples",
        "pgp-signature", "rdf+xml", "rss+xml", "atom+xml", "sql", "toml", "x-ndjson", "x-pem-file", "x-sh", "x-subrip",
        "x-ipynb+json", "x-tex", "x-latex", "xml", "xml-dtd", "xslt+xml", "yaml", "yang", "x-csh", "javascript", "trig",
    )
)  # fmt: skip
_ARCHIVES: Final = frozenset(
    f"application/{name}"
    for name in (
        "gzip", "java-archive", "lzip", "vnd.debian.binary-package", "vnd.rar", "x-7z-compressed", "x-brotli",
        "x-bzip2", "x-gtar", "x-lz4", "x-lzma", "x-rpm", "x-tar", "x-xz", "zip", "zstd", "vnd.android.package-archive",
        "vnd.efi.iso", "x-apple-diskimage",
    )
)  # fmt: skip
# Pictures that no browser shows. A preview would be an empty frame.
_UNSHOWN: Final = frozenset(
    {"image/vnd.adobe.photoshop", "image/vnd.djvu", "image/vnd.dwg", "image/vnd.dxf", "image/x-xcf", "image/tiff"}
)
# Names without an extension that are texts in most folders.
_TEXT_NAMES: Final = frozenset(
    {"authors", "changelog", "changes", "containerfile", "contributing", "copying", "dockerfile", "install", "licence",
     "license", "makefile", "news", "notice", "readme", "todo"}
)  # fmt: skip


def kind_of(name: str) -> Kind:
    """Return the kind of a file by its name.

    >>> kind_of("a.jpg"), kind_of("a.tar.gz"), kind_of("Makefile"), kind_of("a.dat")
    ('image', 'archive', 'text', 'file')
    """
    found = media_type(name).partition(";")[0]
    if found == DEFAULT:
        return "text" if name.lower() in _TEXT_NAMES else "file"
    return _kind_of_type(found)


def _kind_of_type(found: str) -> Kind:
    if found in _MARKDOWN:
        return "markdown"
    if found == "application/pdf":
        return "pdf"
    if found in _ARCHIVES:
        return "archive"
    if found in _TEXTS:
        return "text"
    return "file" if found in _UNSHOWN else _BY_CLASS.get(found.partition("/")[0], "file")
