"""The part files of one download. The part of an old version is kept until the new version is complete."""

import os
from contextlib import suppress

from ...errors import DiskError, TargetBusy
from ..decisions.version import RemoteVersion
from .journal import Record
from .part_file import PartFile
from .part_names import part_of

__all__ = ["PartPair"]


class PartPair:
    """`NAME.part` and, if the server replaced the file during a download, `NAME.part.new`. The destination owns it.

    `active` is the part that is being written; the other part may hold bytes of another version. Each part has its own
    journal, so a process may be killed at any time. The lock on `NAME.part` protects both.

        one part ──make_way──▶ two parts: the bytes of the old version stay, and the new ones go to the other file
        two parts ──back_to──▶ two parts: the server has the old version again, and its part is active
        any ──complete──▶ the active part is the whole file, and the other one is deleted

    Every method blocks on the disk, so callers run it in a thread.
    """

    def __init__(self, first: PartFile) -> None:
        self.active: PartFile = first
        self._other: PartFile | None = None
        if os.path.lexists(part_of(first.path, new=True)):
            self._open_other()

    def _open_other(self) -> PartFile | None:
        """Return the part that is not active; None if a file of another program has its name."""
        if self._other is None:
            with suppress(TargetBusy, DiskError):
                self._other = self.active.spare = self.active.newer()
        return self._other

    def resume(self, *, any_url: bool) -> Record | None:
        """Return the record of an earlier download, and make its part active. The newer part is tried first."""
        for part_file in filter(None, (self._other, self.active)):
            if record := part_file.resume(any_url=any_url):
                self._activate(part_file)
                return record
        return None

    def back_to(self, version: RemoteVersion) -> Record | None:
        """If the other part is of this version, make it active and return its record. Otherwise return None."""
        record = self._other.resume() if self._other else None
        if self._other is None or record is None or not record.version.strongly_matches(version):
            return None
        self._activate(self._other)
        return record

    def make_way(self, size: int) -> None:
        """Make a part active whose bytes may be deleted. It is the part with fewer bytes if the disk has room for both.

        Raises DiskError, and deletes nothing, if the disk has no room for `size` bytes even without the old part.
        """
        kept = self.active.kept().size
        if kept and self._fits(size) and (other := self._open_other()) and other.kept().size <= kept:
            self._activate(other)
        if self._other and not self._fits(size, truncates=True):
            self.active.require_space(size - self._other.occupied, truncates=True)
            self._other.discard()
        self.active.require_space(size, truncates=True)

    def _fits(self, size: int, *, truncates: bool = False) -> bool:
        with suppress(DiskError):
            self.active.require_space(size, truncates=truncates)
            return True
        return False

    def _activate(self, part_file: PartFile) -> None:
        if part_file is not self.active:
            self.active, self._other = part_file, self.active
        self.active.spare = self._other

    def complete(self, version: RemoteVersion, *, dated: bool) -> None:
        """Complete the active part, and delete the other part, which is no longer needed."""
        self.active.complete(version, dated=dated)
        if self._other:
            with suppress(DiskError):  # the download has succeeded even if the other part cannot be deleted
                self._other.discard()

    def close(self) -> None:
        """Unlock and close both files. A part with bytes stays."""
        try:
            if self._other:
                self._other.close()
        finally:
            self.active.close()
