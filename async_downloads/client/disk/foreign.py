"""The unfinished file of another program, at the path of a download or of its part file. It has no journal."""

import os
import stat
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from ...errors import DiskError
from ...open_file import OPEN_SAFELY
from ..decisions.spans import Spans
from ..decisions.version import RemoteVersion
from .journal import Record
from .part_file import PartFile, occupied_bytes, write_all
from .part_names import journal_of, part_of
from .provenance import is_marked
from .targets import is_planted, map_disk_errors

__all__ = ["Adoption", "ForeignPart", "Prove"]


_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | OPEN_SAFELY
_COPIED_BYTES: Final = 1024 * 1024  # copied at a time
_CONTROL_SUFFIXES: Final = (".aria2", ".aria2__temp", ".st")  # of aria2 and axel, whose files have gaps


@dataclass(frozen=True, slots=True)
class ForeignPart:
    """An unlocked file at `path` with the first `size` bytes of a download. `modified_ns` is its modification time."""

    path: Path
    size: int
    modified_ns: int

    @property
    def modified(self) -> int:
        """The modification time in seconds since the epoch."""
        return self.modified_ns // 10**9

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """Return another program's part for `path`: the file at the path of the part file, or else the file at `path`.

        Returns None if there is none. A file with gaps does not count. Neither does the file of a program that does not
        write from start to end.
        """
        with suppress(OSError):
            if os.path.lexists(journal_of(path)) or any(os.path.lexists(f"{path}{each}") for each in _CONTROL_SUFFIXES):
                return None
            part = part_of(path)
            return (None if is_marked(part) else cls._at(part)) or cls._at(path)
        return None

    @classmethod
    def _at(cls, path: Path) -> Self | None:
        if not os.path.lexists(path) or is_planted(path):
            return None
        status = path.lstat()
        has_gaps = occupied_bytes(status) < status.st_size
        is_usable = stat.S_ISREG(status.st_mode) and status.st_size and status.st_mtime_ns > 0 and not has_gaps
        return cls(path, status.st_size, status.st_mtime_ns) if is_usable else None

    def read(self, start: int) -> bytes:
        """Return the bytes from `start` on. Raises DiskError if the file cannot be read or was changed."""
        with map_disk_errors(self.path):
            fd = os.open(self.path, _OPEN)
            try:
                self.refuse_changed(fd)
                return os.pread(fd, self.size - start, start)
            finally:
                os.close(fd)

    def copy_to(self, target: int) -> None:
        """Copy all bytes to the start of an open file. Raises DiskError if that fails or if the file was changed."""
        with map_disk_errors(self.path):
            fd = os.open(self.path, _OPEN)
            try:
                for start in range(0, self.size, _COPIED_BYTES):
                    write_all(target, [os.pread(fd, min(_COPIED_BYTES, self.size - start), start)], start)
                self.refuse_changed(fd)
            finally:
                os.close(fd)

    def refuse_changed(self, fd: int) -> None:
        """Raise DiskError if an open file is not this file or has changed since it was found."""
        status = os.fstat(fd)
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified_ns):
            raise DiskError(f"{self.path}: another program has changed it")


# Asks the server for the version of a part. Returns None if the server does not prove one.
Prove = Callable[[ForeignPart], Awaitable[RemoteVersion | None]]


@dataclass(frozen=True, slots=True)
class Adoption:
    """A part of another program, and the version of its bytes, which the server has proved."""

    part: ForeignPart
    version: RemoteVersion

    def is_in_place(self, path: Path) -> bool:
        """Return whether the file of the other program has the name of this package's part file for a path."""
        return self.part.path == part_of(path)

    def apply(self, part_file: PartFile) -> None:
        """Use the bytes in a part file, and save its journal.

        A file at the path of the download is copied, and stays until the complete file replaces it. Raises DiskError if
        that fails, or if the other program still writes to its file.
        """
        if self.is_in_place(part_file.path):
            self.part.refuse_changed(part_file.fd)
        else:
            part_file.require_space(self.part.size, truncates=True)
            part_file.clear()
            self._copy_to(part_file)
        part_file.save(Record(self.version, Spans.of([(0, self.part.size)])))

    def _copy_to(self, part_file: PartFile) -> None:
        try:
            self.part.copy_to(part_file.fd)
        except DiskError:
            part_file.clear()
            raise
