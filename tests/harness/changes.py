"""Changes that other programs make to a file while it is being sent."""

import os
from pathlib import Path

__all__ = ["append", "cut", "delete", "empty", "overwrite", "overwrite_with_more", "put_another"]


def overwrite(path: Path) -> None:
    """Write other bytes over all bytes of the file."""
    with path.open("r+b") as file:
        file.write(b"new " * (path.stat().st_size // 4))


def overwrite_with_more(path: Path) -> None:
    """Write other bytes, four more than the file has."""
    path.write_bytes(b"new " * (path.stat().st_size // 4 + 1))


def cut(path: Path) -> None:
    """Delete the bytes from 100,000 on."""
    os.truncate(path, 100_000)


def empty(path: Path) -> None:
    """Delete all bytes."""
    os.truncate(path, 0)


def append(path: Path) -> None:
    """Write four bytes behind the last one."""
    with path.open("ab") as file:
        file.write(b"more")


def put_another(path: Path) -> None:
    """Replace the file by another one."""
    path.with_suffix(".new").write_bytes(b"another")
    path.with_suffix(".new").replace(path)


def delete(path: Path) -> None:
    """Remove the name of the file."""
    path.unlink()
