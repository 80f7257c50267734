"""A folder instead of a bucket: two steps that obstore does not do for a folder.

obstore does not flush an object to the disk. If an upload is killed, its part stays in a file that no listing shows.
"""

import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Final

from ...errors import SourceError
from ...flushing import flush_directory, flush_file

__all__ = ["check_folder", "delete_part", "flush_object"]


_PART: Final = "#1"  # obstore adds this to the name of an object until all of it is written


def check_folder(folder: str) -> None:
    """Raise SourceError if there is no such folder."""
    if not os.path.isdir(folder):
        raise SourceError(f"there is no folder {folder}: create it with mkdir -p {shlex.quote(folder)}")


def flush_object(folder: str, key: str) -> None:
    """Flush an object, and the folders that lead to it, to the disk. Raises OSError."""
    path = Path(folder, key)
    flush_file(path)
    for parent in Path(key).parents:
        flush_directory(Path(folder, parent))


def delete_part(folder: str, key: str) -> None:
    """Delete the part of an object whose upload was killed, if there is one. Raises OSError."""
    with suppress(FileNotFoundError):
        os.unlink(f"{folder}/{key}{_PART}")
