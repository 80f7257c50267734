"""The provenance of files on file systems without extended attributes, in a folder in the user's home.

    ~/.local/state/async_downloads/files/HASH     one entry for each file; HASH is the hash of its path

If an entry is lost, the worst result is that the file is downloaded again.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["load_provenance", "save_provenance"]


_MAX_ENTRIES: Final = 4096
_PRUNED: Final = 1024  # entries that are removed together, the oldest first
_ENTRY_BYTES: Final = 16 * 1024  # more than a provenance needs


def save_provenance(path: Path, provenance: bytes) -> None:
    """Save the provenance of the file at a path. If that fails, do nothing."""
    with suppress(OSError, RuntimeError):  # the user may have no home directory
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        entry = _entry(path)
        temporary = entry.with_name(f"{entry.name}.{os.getpid()}")
        temporary.write_bytes(provenance)
        temporary.replace(entry)
        _prune(folder)


def load_provenance(path: Path) -> bytes | None:
    """Return the provenance that was saved for a path; None if there is none."""
    with suppress(OSError, RuntimeError), _entry(path).open("rb") as file:
        return file.read(_ENTRY_BYTES)
    return None


def _entry(path: Path) -> Path:
    return _folder() / hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()


def _folder() -> Path:
    """Return the folder for state files (XDG Base Directory Specification)."""
    named = os.environ.get("XDG_STATE_HOME", "")
    return (Path(named) if named.startswith("/") else Path.home() / ".local/state") / "async_downloads/files"


def _prune(folder: Path) -> None:
    names = os.listdir(folder)
    if len(names) > _MAX_ENTRIES:
        for each in sorted(map(folder.joinpath, names), key=lambda entry: entry.stat().st_mtime)[:_PRUNED]:
            each.unlink(missing_ok=True)
