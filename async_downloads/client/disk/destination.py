"""Where a download goes: to the path that was given, or to a name that its first answer tells."""

import errno
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from ...errors import TargetBusy
from ...semantics.digests import parse_digest
from ...threads import await_shielded, in_thread
from ..checksum import Checksum
from ..decisions.response import ResponseHead
from ..decisions.schedule import Schedule
from ..decisions.version import UNKNOWN, RemoteVersion, url_hash
from .batch_writer import BatchWriter
from .journal import Journal, Record, unfinished
from .names import file_name, numbered, resolve_links, unused
from .part_file import PartFile, journal_of, map_disk_errors, part_of, tidy
from .provenance import load

__all__ = ["Destination", "Unchanged", "resumable"]


_NUMBERS: Final = 100  # of one name; among so many an earlier download is looked for


def resumable(url: str, path: Path | None, directory: Path) -> bool:
    """Whether a download, with these as a `Destination` has them, left something that the next one can go on with."""
    if path is None:
        return unfinished(directory, url_hash(url)) is not None
    with suppress(OSError):
        return Journal(journal_of(resolve_links(path)), url_hash(url)).load() is not None
    return False


class Unchanged(Exception):
    """The whole file is there already, and is what the server has."""

    def __init__(self, path: Path, version: RemoteVersion) -> None:
        super().__init__(str(path))
        self.path = path
        self.version = version


class Destination:
    """The place of one download of `url`.

    `path` is None when the first answer is to name the file, in `directory`; with `overwrite` alone it may then take
    the place of another one, and else it has a number. A link that is given stays, and what it leads to is replaced.
    With `resume` what is there from before counts: a part, or a whole file that is the same version, or that has the
    `checksum`.
    """

    def __init__(
        self,
        url: str,
        path: Path | None,
        directory: Path,
        *,
        overwrite: bool = False,
        resume: bool = True,
        checksum: Checksum | None = None,
    ) -> None:
        self.path: Path = path or directory / file_name(None, url)
        self._first = self.path
        self._opened: PartFile | None = None
        self._url = url
        self._hash = url_hash(url)
        self._named = path is not None
        self._replace = overwrite or path is not None
        self._resume = resume
        self._checksum = checksum
        self._wholes: dict[Path, RemoteVersion] = {}
        self._batch_writer: BatchWriter | None = None
        self._accepted = False
        self._schedule = Schedule()

    @property
    def conditions(self) -> Mapping[str, str]:
        """Fields for the first request, so that it brings nothing when the whole file is there already."""
        version = self._latest[1]
        if version.validators.etag:
            return {"If-None-Match": str(version.validators.etag)}
        return {"If-Modified-Since": version.if_range} if version.if_range else {}

    @property
    def _latest(self) -> tuple[Path, RemoteVersion]:
        """The whole file that is most likely what the server still has: the one with the highest number."""
        return next(reversed(self._wholes.items()), (self.path, UNKNOWN))

    async def prepare(self, connections: int) -> Schedule:
        """Open the destination as far as it is known, and return the schedule for what is not there yet.

        Unchanged when no request is needed, TargetBusy or DiskError when the file cannot be had.
        """
        await in_thread(self._follow if self._named else self._find)
        await self._look()
        self._schedule = Schedule(connections)
        if self._named:
            record = await self._open()
            if record:
                self._wholes, self._schedule = {}, Schedule(connections, record.version, record.held)
            self._batch_writer = BatchWriter(self._part_file(), self._schedule, record)
        return self._schedule

    def _follow(self) -> None:
        with map_disk_errors(self.path):
            self.path = resolve_links(self.path)

    def _find(self) -> None:
        """Go on where an earlier download of the URL was, whatever it was called."""
        directory = self.path.parent
        with map_disk_errors(directory):
            if not directory.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "no such folder")
            if begun := unfinished(directory, self._hash):
                self.path, self._named = begun, True

    async def _look(self) -> None:
        """Note which version the whole file is, if there is one. Unchanged when it has the checksum."""
        await in_thread(lambda: tidy(self.path))
        wholes = await in_thread(self._recall) if self._resume else {}
        if not self._checksum:
            self._wholes = wholes
        elif self._resume:
            for path in {self.path: None, **wholes}:
                if await self._checksum.matches(path):
                    raise Unchanged(path, UNKNOWN)

    def _recall(self) -> dict[Path, RemoteVersion]:
        """Find the files that are whole: the one at the path, and those that the server named and that got a number."""
        found = {self.path: load(self.path, self._hash)}
        for path in [] if self._replace else islice(numbered(self._first), _NUMBERS):
            found.setdefault(path, load(path, self._hash, guess=False))
        return {path: version for path, version in found.items() if version}

    async def _open(self) -> Record | None:
        part_file = self._opened = await in_thread(lambda: PartFile(self.path, self._hash), discard=PartFile.close)
        return await await_shielded(in_thread(part_file.resume)) if self._resume else None

    async def accept(self, answer: ResponseHead, version: RemoteVersion | None) -> BatchWriter:
        """Return where to keep what comes; the first answer may decide on that. What is there and of no use goes now.

        Unchanged when it says that the whole file is there; `version` None says so of the one that was asked about.
        """
        if self._accepted and self._batch_writer:
            return self._batch_writer
        if version is None:
            raise Unchanged(*self._latest)
        self._first = self.path.with_name(file_name(answer.fields.get("content-disposition"), self._url))
        if not self._named:
            self.path = self._first
            await self._look()
        await self._recognise(answer, version)
        batch_writer = self._batch_writer or await self._begin()
        held = self._schedule.held.size
        await in_thread(partial(self._part_file().reserve, (version.total or 0) - held, anew=not held))
        if not held:
            await batch_writer.clear()
        self._accepted = True
        return batch_writer

    async def _recognise(self, answer: ResponseHead, version: RemoteVersion) -> None:
        """Unchanged when a file that is there is what the server has, by its version or by its digest (RFC 9530)."""
        for path, whole in self._wholes.items():
            if whole.weakly_matches(version):
                raise Unchanged(path, version)
        self._wholes = {}
        if self._named or self._checksum or not self._resume or version.total is None:
            return
        promised = Checksum.strongest(parse_digest(answer.fields.get("repr-digest", "")))
        if promised and await promised.matches(self.path, size=version.total):
            raise Unchanged(self.path, version)

    async def _begin(self) -> BatchWriter:
        self._opened = await in_thread(self._claim, discard=PartFile.close)
        self.path, self._named = self._opened.path, True
        self._batch_writer = BatchWriter(self._opened, self._schedule)
        return self._batch_writer

    def _claim(self) -> PartFile:
        """Have a part_file for a name that the server chose: the next free one unless it may replace what there is."""
        if self._replace:
            return PartFile(self.path, self._hash)
        busy: set[Path] = set()
        while True:
            path = unused(self._first, lambda each: each in busy or _taken(each))
            try:
                return PartFile(path, self._hash)
            except TargetBusy:  # somebody else had the same idea
                busy.add(path)

    async def verify(self, checksum: Checksum) -> None:
        """DigestMismatch when what is there has another digest."""
        await checksum.verify(self._part_file().fd)

    async def clear(self) -> None:
        """Forget what came. What was there before stays until there is something to be stored in its place."""
        if self._accepted and self._batch_writer:
            await self._batch_writer.clear()
        self._accepted = False

    async def finish(self) -> Path:
        """Give the whole file its name, and return it."""
        return await await_shielded(in_thread(self._finish))

    def _finish(self) -> Path:
        part_file = self._part_file()
        part_file.complete(self._schedule.version or UNKNOWN)
        while not part_file.publish(self.path, replace=self._replace):
            self.path = unused(self._first, _taken)
        return self.path

    async def close(self, *, keep: bool) -> None:
        """Let somebody else have the destination. With `keep` another run may go on with what there is, if that can be.

        What was there before stays then, too, as long as there was nothing to be stored in its place.
        """
        part_file, batch_writer = self._opened, self._batch_writer
        if part_file is None:
            return
        try:
            if batch_writer is None or part_file.published or (keep and not self._accepted):
                return
            if keep and self._schedule.resumable and self._schedule.held.size:
                await batch_writer.save()
            else:
                await await_shielded(in_thread(part_file.discard))
        finally:
            await await_shielded(in_thread(part_file.close))

    def _part_file(self) -> PartFile:
        if self._opened is None:
            raise RuntimeError("nothing has been opened yet")
        return self._opened


def _taken(path: Path) -> bool:
    """Whether a name is somebody's. That of a part is only while there is a journal, or who has it locked."""
    part = part_of(path)
    odd = os.path.lexists(part) and not stat.S_ISREG(part.lstat().st_mode)
    return odd or os.path.lexists(path) or os.path.lexists(journal_of(path))
