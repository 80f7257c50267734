"""Wait until written data are on the disk. If the power fails, data that only the kernel has are lost."""

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["flush_directory", "flush_file"]


def flush_file(path: Path) -> None:
    """Wait until the disk has the bytes of a file. Raises OSError."""
    _flush(path, os.O_RDONLY)


def flush_directory(directory: Path) -> None:
    """Wait until the disk has the names of the files in a directory."""
    with suppress(OSError):  # some file systems cannot flush a directory, and do not need it
        _flush(directory, os.O_RDONLY | os.O_DIRECTORY)


def _flush(path: Path, flags: int) -> None:
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
