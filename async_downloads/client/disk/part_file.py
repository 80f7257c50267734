"""The file that a download writes: `NAME.part` until it is complete, then `NAME`, with `NAME.part.json` beside it."""

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from ...errors import DiskError, TargetBusy
from ...flushing import flush_directory
from ...threads import in_thread
from ..decisions.spans import NOTHING, Spans
from ..decisions.version import UNKNOWN, RemoteVersion
from .journal import Journal, Record
from .lock import is_at, open_locked, refuse_locked
from .memory import save_provenance
from .part_names import journal_of, neighbours, part_of
from .provenance import is_marked, mark, save, unmark
from .publishing import give_name, keep_mode
from .targets import is_disk_full, map_disk_errors, refuse_planted, refuse_special

__all__ = ["PartFile", "occupied_bytes", "write_all"]


_MAX_BUFFERS: Final = 1024  # in one call: systems allow at least this number (POSIX, IOV_MAX)


def write_all(fd: int, buffers: Sequence[bytes], offset: int) -> None:
    """Write the buffers one after the other, from `offset` on. One system call may write only some of the bytes."""
    for first in range(0, len(buffers), _MAX_BUFFERS):
        group = buffers[first : first + _MAX_BUFFERS]
        size, written = sum(map(len, group)), os.pwritev(fd, group, offset)
        while written < size:
            written += os.pwrite(fd, b"".join(group)[written:], offset + written)
        offset += size


def occupied_bytes(status: os.stat_result) -> int:
    """Return the space on the disk that a file takes."""
    return status.st_blocks * 512  # this unit is the same on every file system


class PartFile:
    """One part file, open and locked, so that no other process writes to it. The destination owns and closes it.

        open ──publish──▶ published: the file has its name, and this object no longer changes it
          ├────discard──▶ deleted
          └────close────▶ closed: unlocked; the part stays, if it is not empty

    Bytes may be written in any order. Every method except `write` blocks on the disk, so callers run it in a thread.

    `url` and `unsigned` are hashes of the URL. Raises TargetBusy if another download or program has the file, and
    DiskError if it cannot be opened. With `foreign`, the part of another program may be opened. With `new`, this is the
    part of a newer version, `NAME.part.new`.
    """

    def __init__(self, path: Path, url: str, unsigned: str = "", *, foreign: bool = False, new: bool = False) -> None:
        with map_disk_errors(path):
            refuse_special(path)
        self.path: Path = path
        self.part: Path = part_of(path, new=new)
        self.published: bool = False
        self.spare: PartFile | None = None  # deleted when the disk is full
        self._flush_failed = False
        self._unsaved_provenance: bytes | None = None
        self._url = url
        self._unsigned = unsigned
        self._journal = Journal(journal_of(path, new=new), url, unsigned)
        with map_disk_errors(self.part):
            self._journal.check_name_length()
            refuse_planted(self.part)
            self.fd: int = open_locked(self.part)
        # One thread for all connections: several threads would compete for the interpreter, also with the event loop.
        self._executor = ThreadPoolExecutor(1)
        try:
            self._marked = self._mark(foreign=foreign)
            self._refuse_neighbours()
        except TargetBusy:
            self.close()
            raise

    def _mark(self, *, foreign: bool) -> bool:
        """Mark the part as one of this package. Return whether it is marked.

        Raises TargetBusy if it has bytes and is not of this package, because other programs also write `NAME.part`.
        """
        ours = is_marked(self.fd) or not os.fstat(self.fd).st_size
        if not (ours or foreign or self._journal.is_of_package()):
            raise TargetBusy(f"{self.part}: belongs to another program, and would be lost")
        return ours and mark(self.fd)

    def _refuse_neighbours(self) -> None:
        """Raise TargetBusy if a download to `a` is running and this download is to `a.part`, or the reverse.

        This download already holds its lock. So of two downloads that start at the same time, at least one sees the
        other.
        """
        for part in neighbours(self.path):
            refuse_locked(part)

    def resume(self, *, any_url: bool = False) -> Record | None:
        """Return the record of the journal; None if there is no journal or the part is too short.

        The URL of the journal may have another signature. With `any_url`, it may be any URL.
        """
        record = self._journal.load(renewed=True, any_url=any_url)
        if record and os.fstat(self.fd).st_size >= record.held.end > 0:
            return record.reopened()
        return None

    def newer(self) -> "PartFile":
        """Open the part file of a newer version beside this one. Raises TargetBusy or DiskError."""
        return PartFile(self.path, self._url, self._unsigned, new=True)

    def kept(self) -> Spans:
        """Return the bytes that the journal names, for any URL."""
        record = self._journal.load(any_url=True) if os.fstat(self.fd).st_size else None
        return record.held if record else NOTHING

    @property
    def occupied(self) -> int:
        """The space on the disk that the part takes, in bytes."""
        return occupied_bytes(os.fstat(self.fd))

    def forget(self) -> None:
        """Remove the journal before the bytes that it names change."""
        self._refuse_replaced()
        with map_disk_errors(self.part):
            if self._journal.remove():
                flush_directory(self.part.parent)

    def clear(self) -> None:
        """Delete all bytes. The journal is removed from the disk first, because it must not name deleted bytes."""
        self.forget()
        with map_disk_errors(self.part):
            os.ftruncate(self.fd, 0)
            self._marked = self._marked or mark(self.fd)
            if not self._marked:  # an empty journal also says that the part is of this package
                self._journal.save(Record(UNKNOWN, NOTHING))

    def require_space(self, size: int, *, truncates: bool = False) -> None:
        """Raise DiskError if the disk has no space for `size` more bytes.

        With `truncates`, the space of the part counts as free, because its bytes will be deleted.
        """
        with map_disk_errors(self.part):
            disk = os.fstatvfs(self.fd)
        free = disk.f_bavail * disk.f_frsize + (self.occupied if truncates else 0)
        if disk.f_blocks and size > free:  # some file systems report no blocks at all
            raise DiskError(f"{self.part}: {size:,} bytes are needed, and the disk has room for {free:,}")

    async def write(self, runs: Iterable[tuple[int, Sequence[bytes]]], record: Record | None = None) -> None:
        """Write runs of buffers, each at its offset, then save the record. Each batch is one call in a thread."""
        await in_thread(lambda: self._write(runs, record), executor=self._executor)

    def _write(self, runs: Iterable[tuple[int, Sequence[bytes]]], record: Record | None) -> None:
        try:
            self._write_runs(runs)
        except DiskError as error:
            if not (self.spare and is_disk_full(error)):
                raise
            self.spare.discard()
            self._write_runs(runs)
        if record:
            self.save(record)

    def _write_runs(self, runs: Iterable[tuple[int, Sequence[bytes]]]) -> None:
        with map_disk_errors(self.part):
            for offset, buffers in runs:
                write_all(self.fd, buffers, offset)

    def flush(self) -> None:
        """Flush the written bytes to the disk. Raises DiskError if that fails, and then at each later call too."""
        with map_disk_errors(self.part):
            self._sync(os.fdatasync)

    def _sync(self, sync: Callable[[int], None]) -> None:
        """Flush with a system call. After a failure the kernel drops the bytes and reports success at the next call."""
        if self._flush_failed:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._flush_failed = True  # until the call has succeeded: after any exception it must stay set
        sync(self.fd)
        self._flush_failed = False

    def save(self, record: Record) -> None:
        """Save the record in the journal."""
        self._refuse_replaced()
        with map_disk_errors(self._journal.path):
            self._journal.save(record)

    def truncate(self, size: int) -> None:
        """Delete all bytes from position `size` on."""
        with map_disk_errors(self.part):
            os.ftruncate(self.fd, size)

    def complete(self, version: RemoteVersion, *, dated: bool = True) -> None:
        """Give the complete file its size, its provenance and, if `dated`, its Last-Modified time. Flush it."""
        modified = version.validators.last_modified
        with map_disk_errors(self.part):
            os.ftruncate(self.fd, version.total or 0)
            if modified is not None and dated:
                os.utime(self.fd, (modified, modified))
            self._unsaved_provenance = save(self.fd, self._url, version)
            self._sync(os.fsync)

    def publish(self, path: Path, *, replace: bool) -> bool:
        """Give the file its name. Return False if the name is taken and `replace` is False."""
        self._refuse_replaced()
        with map_disk_errors(path):
            if replace:
                keep_mode(self.fd, path)
            if not give_name(self.part, path, replace=replace):
                return False
        self.published = True
        unmark(self.fd)
        with suppress(OSError):  # the download has succeeded even if the journal cannot be deleted
            self._journal.remove()
        flush_directory(path.parent)
        if self._unsaved_provenance:
            save_provenance(path, self._unsaved_provenance)
        return True

    def discard(self) -> None:
        """Delete part and journal. Do nothing after `publish`: another download may then use these names."""
        with map_disk_errors(self.part):
            if is_at(self.fd, self.part):
                self._journal.remove()
                self.part.unlink()

    def close(self) -> None:
        """Unlock and close the file. The part stays if it has bytes."""
        self._executor.shutdown(wait=False)
        try:
            with suppress(OSError):
                if not os.fstat(self.fd).st_size and is_at(self.fd, self.part):
                    self._unlink_empty()
        finally:
            os.close(self.fd)

    def _unlink_empty(self) -> None:
        if self._journal.load() or not (self._marked or self._journal.load(any_url=True)):
            self._journal.remove()  # the journal of another URL stays
        self.part.unlink()

    def _refuse_replaced(self) -> None:
        """Raise DiskError if another file has the name of the part, because that file must not be published."""
        with map_disk_errors(self.part):
            if not is_at(self.fd, self.part):
                raise DiskError(f"{self.part}: another program has removed or replaced it")
