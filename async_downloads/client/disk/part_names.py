"""The names of the files beside an unfinished download: `NAME.part`, `NAME.part.json` and `NAME.part.json.tmp`.

While the part of an old version is kept, the new version has the same names with `.part.new` in place of `.part`.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .journal import SUFFIX

__all__ = ["journal_of", "neighbours", "part_of"]


_PART: Final = ".part"
_JOURNAL: Final = SUFFIX.removeprefix(_PART)
_NEW: Final = ".new"
_SUFFIXES: Final = tuple(f"{part}{end}" for part in (_PART, _PART + _NEW) for end in ("", _JOURNAL, f"{_JOURNAL}.tmp"))
_NAME_BYTES: Final = 255  # the limit of most file systems
_LONGEST: Final = _NAME_BYTES - max(map(len, _SUFFIXES))


def part_of(path: Path, *, new: bool = False) -> Path:
    """Return the path of the part file of an unfinished download to `path`; with `new`, of the newer version."""
    return path.parent / f"{_stem(path.name)}{_PART}{_NEW if new else ''}"


def journal_of(path: Path, *, new: bool = False) -> Path:
    """Return the path of the journal of an unfinished download to `path`; with `new`, of the newer version."""
    return path.parent / f"{part_of(path, new=new).name}{_JOURNAL}"


def _stem(name: str) -> str:
    """Return the name, or its beginning and a hash if the suffixes would make it too long for a file system."""
    encoded = os.fsencode(name)
    if not _LONGEST < len(encoded) <= _NAME_BYTES:  # a longer name is refused anyway
        return name
    mark = f"~{hashlib.sha256(encoded).hexdigest()[:12]}"
    return f"{os.fsdecode(encoded[: _LONGEST - len(mark) - 3]).rstrip(_HALVES)}{mark}"


_HALVES: Final = "".join(map(chr, range(0xDC80, 0xDD00)))  # bytes of an incomplete character in `os.fsdecode`


def neighbours(path: Path) -> Iterator[Path]:
    """Yield the part files of other downloads that could use the same files as the download to `path`."""
    for suffix in _SUFFIXES:
        yield part_of(path.with_name(f"{path.name}{suffix}"))
        if path.name.endswith(suffix) and path.name != suffix:
            yield part_of(path.with_name(path.name.removesuffix(suffix)))
