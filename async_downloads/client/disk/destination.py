"""Where a download is stored: at the path that the caller gives, or under a name from the first response."""

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from ...errors import TargetBusy
from ...threads import await_shielded, in_thread
from ..checksum import Checksum
from ..decisions.schedule import Schedule
from ..decisions.verdict import ResponseHead
from ..decisions.version import UNKNOWN, RemoteVersion, is_page
from .batch_writer import BatchWriter
from .decoding import decode_part
from .existing import CompleteFiles, EarlierDownloads, Existing, NoFiles, Unchanged, is_taken
from .foreign import Adoption, Prove
from .journal import Record
from .names import file_name, numbered, unused
from .part_pair import PartPair
from .targets import map_disk_errors, resolve_links

__all__ = ["Destination"]


_NUMBERS: Final = 100  # numbered names of one file in which an earlier download is looked for


class Destination:
    """The target of one download. The download's job owns it and closes it; no other task uses it.

    It opens in two phases, because the name may come from the first response, and because the part of an earlier
    download must stay until another file is complete:

        new ──prepare──┬─ a path was given, or a part was found ──▶ open: the part file is locked and unchanged
                       └─ neither ──▶ unnamed: no file is open
        open, unnamed ──accept──▶ accepted: the batch writer may write; bytes of another version stay beside it
        accepted ──change_version──▶ open   the file on the server was replaced; the old bytes stay in their part
        accepted ──finish──▶ published    the complete file has its name
        any ──close──▶ closed             an unpublished part is kept for the next run or deleted

    If `path` is None, the first response names the file in `directory`. If the name is taken, the existing file is
    replaced if `overwrite` is True, or None and `path` was given; otherwise the new name gets a number. If `path` is a
    symbolic link, its target is used. With `resume`, a part or a complete file of an earlier run is used. A complete
    file is used if it has the `checksum` or, without `checksum`, is the server's version. With `continues`, the part of
    another URL or program is used too. With `timestamping`, any file at `path` that has the size and time of the
    server's file is used. If `dated` is False, the file keeps the current time.
    """

    def __init__(  # noqa: PLR0913  # each is an option of `Downloader.fetch`
        self,
        url: str,
        path: Path | None,
        directory: Path,
        *,
        overwrite: bool | None = None,
        resume: bool = True,
        checksum: Checksum | None = None,
        continues: bool = False,
        timestamping: bool = False,
        dated: bool = True,
    ) -> None:
        self.path: Path = path or directory / file_name(None, url)
        self._unnumbered = self.path
        self._url = url
        self._earlier = EarlierDownloads(url, use=resume, checksum=checksum, any_url=continues)
        self._existing: Existing = NoFiles()
        self._named = path is not None  # `path` is final, unless it is `_renewed`
        self._renewed = False  # the part was begun for the same URL with another signature
        self._guess = timestamping or path is None  # a file of that size and time counts as complete
        self._dated = dated
        self._chosen = path is not None  # by the caller, not by a response or an earlier download
        self._replaces = self._chosen if overwrite is None else overwrite
        self._parts: PartPair | None = None
        self._batch_writer: BatchWriter | None = None
        self._accepted = False
        self._decoded_bytes: int | None = None
        self._schedule = Schedule()

    @property
    def conditions(self) -> Mapping[str, str]:
        """The header fields with which the server sends no body if the complete file is current."""
        return self._existing.conditions if isinstance(self._existing, CompleteFiles) else {}

    async def prepare(self, connections: int, prove: Prove) -> Schedule:
        """Open the destination if its name is known. Return the schedule of the missing bytes.

        Raises Unchanged if no request is needed, TargetBusy if another download has the target, DiskError if the part
        file cannot be opened, and the errors of `prove`.
        """
        if self._named:
            self.path = await in_thread(partial(_resolved, self.path))
        elif begun := await self._earlier.unfinished(self.path.parent):
            (self.path, self._renewed), self._named = begun, True
        self._existing = await self._earlier.complete(self.path, self._numbered(), guess=self._guess)
        self._schedule = Schedule(connections)
        if self._named:
            is_complete = isinstance(self._existing, CompleteFiles)
            await self._open(connections, None if is_complete else await self._earlier.adopt(self.path, prove))
        return self._schedule

    def _numbered(self) -> Iterable[Path]:
        return () if self._replaces else islice(numbered(self._unnumbered), _NUMBERS)

    async def _open(self, connections: int, adoption: Adoption | None) -> None:
        """The first phase for a known path: lock the part file, and continue with what it holds."""
        try:
            self._parts = await in_thread(partial(self._earlier.open, self.path, adoption), discard=PartPair.close)
        except TargetBusy:
            if not self._renewed:
                raise
            self._forget_renewed()
            return
        if part := await self._earlier.resume(self._parts):
            self._existing = part
            self._schedule = Schedule(connections, part.record.version, part.record.held)
        self._batch_writer = BatchWriter(self._parts.active, self._schedule, part.record if part else None)

    def _forget_renewed(self) -> None:
        """Do not use the part of the URL with another signature: the file is different, or that download is running."""
        self.path, self._named, self._renewed = self._unnumbered, False, False
        self._parts = self._batch_writer = None

    async def accept(self, head: ResponseHead, version: RemoteVersion | None) -> BatchWriter:
        """Return the writer for the body of a response. The first response may choose the name.

        This is the second phase. If the response does not continue the bytes of an earlier download, these stay in
        their own part file until the new file is complete, unless the disk has no room for both.

        `version` is None for a 304, which confirms the file in `conditions`. Raises Unchanged if a complete file is the
        server's version, DiskError if the disk is full, and TransientError if a page or an error would replace a file.
        """
        if self._accepted and self._batch_writer:
            return self._batch_writer
        if not self._chosen:
            disposition, page = head.fields.get("content-disposition"), is_page(head.fields)
            self._unnumbered = self.path.with_name(file_name(disposition, self._url, head.url, is_page=page))
        await self._compare(head, version)
        if self._replaces and version:
            await in_thread(partial(self._earlier.refuse_substitute, self.path, version))
        if self._parts is None:
            await self._open_unused()
        self._batch_writer = await self._writer((version and version.total) or 0)
        self._accepted = True
        return self._batch_writer

    async def _writer(self, size: int) -> BatchWriter:
        """Return the writer for a file of `size` bytes. The part already has the bytes that the schedule holds."""
        parts, held = self._open_parts(), self._schedule.held.size
        if held and self._batch_writer:
            await in_thread(partial(parts.active.require_space, size - held))
            return self._batch_writer
        await await_shielded(in_thread(partial(parts.make_way, size)))
        batch_writer = BatchWriter(parts.active, self._schedule)
        await batch_writer.clear()
        return batch_writer

    async def _compare(self, head: ResponseHead, version: RemoteVersion | None) -> None:
        """Raise Unchanged if the file of the response exists already."""
        if version is None:
            newest = self._existing.newest if isinstance(self._existing, CompleteFiles) else (self.path, UNKNOWN)
            raise Unchanged(*newest)
        if not self._named:
            self.path = self._unnumbered
            self._existing = await self._earlier.complete(self.path, self._numbered(), guess=self._guess)
        if isinstance(self._existing, CompleteFiles):
            self._existing.compare(version)
        self._existing = NoFiles()  # further requests need no condition
        if not self._named:
            await self._earlier.compare_digest(self.path, head, version)

    async def _open_unused(self) -> None:
        """The first phase for a name that the response chose."""
        self._parts = await in_thread(self._lock_unused, discard=PartPair.close)
        self.path, self._named = self._parts.active.path, True

    def _lock_unused(self) -> PartPair:
        """Lock the part for the first free name, or for the name itself if its file may be replaced."""
        if self._replaces:
            return self._earlier.open(self.path)
        busy: set[Path] = set()
        while True:
            path = unused(self._unnumbered, lambda each: each in busy or is_taken(each))
            try:
                return self._earlier.open(path)
            except TargetBusy:  # another download has chosen the same name, or another program has the part
                busy.add(path)

    async def verify(self, checksum: Checksum) -> None:
        """Raise DigestMismatch if the part file has another digest."""
        await checksum.verify(self._open_parts().active.fd)

    async def decode(self, checksum: Checksum) -> bool:
        """Decode the part file if it then has the digest. Return whether that was so."""
        part_file = self._open_parts().active
        self._decoded_bytes = await await_shielded(in_thread(partial(decode_part, part_file, checksum)))
        return self._decoded_bytes is not None

    async def change_version(self, version: RemoteVersion) -> Record | None:
        """Keep the bytes of the old version. Return the record of the new version if a part of it exists."""
        if self._parts is None:
            return None
        if self._accepted and self._batch_writer:
            await self._batch_writer.save()
        elif self._renewed:
            await await_shielded(in_thread(self._parts.close))
            self._forget_renewed()
            return None
        self._accepted = False
        record = await self._earlier.back_to(self._parts, version)
        self._batch_writer = BatchWriter(self._parts.active, self._schedule, record)
        return record

    @property
    def size(self) -> int:
        """The size of the complete file in bytes. It differs from the fetched bytes if the file was decoded."""
        return self._schedule.held.size if self._decoded_bytes is None else self._decoded_bytes

    async def finish(self) -> Path:
        """Give the complete file its name, and return the path."""
        return await await_shielded(in_thread(self._publish))

    def _publish(self) -> Path:
        parts = self._open_parts()
        version = self._schedule.version or UNKNOWN
        if self._decoded_bytes is not None:
            version = RemoteVersion(self._decoded_bytes, version.validators)
        parts.complete(version, dated=self._dated)
        while not parts.active.publish(self.path, replace=self._replaces):
            self.path = unused(self._unnumbered, is_taken)
        return self.path

    async def close(self, *, keep: bool) -> None:
        """Unlock the part file. With `keep`, its bytes stay if the next run can use them. Otherwise they are deleted.

        With `keep`, the part of an earlier download stays unchanged if no response was accepted.
        """
        if (parts := self._parts) is None:
            return
        part_file, batch_writer = parts.active, self._batch_writer
        try:
            if batch_writer is None or part_file.published or (keep and not self._accepted):
                return
            if keep and self._schedule.resumable and self._schedule.held.size:
                await batch_writer.save()
            else:
                await await_shielded(in_thread(part_file.discard))
        finally:
            await await_shielded(in_thread(parts.close))

    def _open_parts(self) -> PartPair:
        if self._parts is None:
            raise RuntimeError("the destination is not open")
        return self._parts


def _resolved(path: Path) -> Path:
    with map_disk_errors(path):
        return resolve_links(path)
