"""Detect an HTML page that a server sends in place of a file, for example a login page or an error page."""

from collections.abc import Iterable, Mapping
from typing import Final

from .version import is_page

__all__ = ["unexpected_page"]


# Files with these extensions are never HTML pages.
_SUFFIXES: Final = frozenset(
    """
    .7z .apk .avi .bin .br .bz2 .csv .deb .dmg .doc .docx .epub .exe .flac .gif .gz .h5 .img .iso .jar .jpeg .jpg .json
    .lz4 .m4a .mkv .mov .mp3 .mp4 .msi .nc .npy .npz .odt .ogg .onnx .parquet .pdf .pkg .png .ppt .pptx .pt .pth .qcow2
    .rar .rpm .safetensors .sha256 .sig .sqlite .svg .tar .tbz .tgz .tif .tiff .toml .txz .wasm .wav .webm .webp .whl
    .xls .xlsx .xz .yaml .z .zip .zst
    """.split()  # noqa: SIM905  # a list has one name per line
)


def unexpected_page(names: Iterable[str], fields: Mapping[str, str]) -> str | None:
    """Return a warning if a response is an HTML page although one of the names belongs to another type; else None.

    >>> unexpected_page(["data.zip"], {"content-type": "text/html; charset=utf-8"})
    'the server sent an HTML page for data.zip'
    """
    for name in names:
        _, dot, suffix = name.lower().rpartition(".")
        if dot + suffix in _SUFFIXES and is_page(fields):
            return f"the server sent an HTML page for {name}"
    return None
