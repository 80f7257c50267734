"""The files of earlier downloads of a URL, as a value.

NoFiles         there are none: the whole file is requested
PartialFile     the journal says which bytes are held: the missing bytes are requested
CompleteFiles   the files are complete: a conditional request asks for another version (RFC 9110 §13.1)
"""

import errno
import os
import stat
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ...errors import BadResponse, DiskError
from ...semantics.digests import parse_digest
from ...threads import await_shielded, in_thread
from ..checksum import Checksum
from ..decisions.retries import TransientError
from ..decisions.verdict import ResponseHead
from ..decisions.version import UNKNOWN, RemoteVersion, is_far_smaller
from .foreign import Adoption, ForeignPart, Prove
from .journal import Journal, Record, unfinished
from .lock import unlink_alias
from .part_file import PartFile
from .part_names import journal_of, part_of
from .part_pair import PartPair
from .provenance import load
from .targets import is_planted, map_disk_errors, resolve_links
from .url_hashes import UrlHashes

__all__ = [
    "CompleteFiles",
    "EarlierDownloads",
    "Existing",
    "NoFiles",
    "PartialFile",
    "Unchanged",
    "is_taken",
    "resumable",
]


_BEGIN_BYTES: Final = 1024


class Unchanged(Exception):
    """The file at `path` is complete and is the server's `version`, so there is nothing to download."""

    def __init__(self, path: Path, version: RemoteVersion) -> None:
        super().__init__(str(path))
        self.path = path
        self.version = version


@dataclass(frozen=True, slots=True)
class NoFiles:
    """There is no file that the download can use."""


@dataclass(frozen=True, slots=True)
class PartialFile:
    """There is a part file, and `record` says which bytes of which version it holds."""

    record: Record


@dataclass(frozen=True, slots=True)
class CompleteFiles:
    """There are complete files: first the file at the path, then files with a number, the highest last."""

    versions: dict[Path, RemoteVersion]

    @property
    def newest(self) -> tuple[Path, RemoteVersion]:
        """The file that most likely is the server's version."""
        return next(reversed(self.versions.items()))

    @property
    def conditions(self) -> Mapping[str, str]:
        """The header fields with which the server responds 304 if the newest file is its version."""
        version = self.newest[1]
        if version.validators.etag:
            return {"If-None-Match": str(version.validators.etag)}
        return {"If-Modified-Since": version.if_range} if version.if_range else {}

    def compare(self, remote: RemoteVersion) -> None:
        """Raise Unchanged if one of the files is the server's version."""
        for path, version in self.versions.items():
            if version.weakly_matches(remote):
                raise Unchanged(path, remote)


Existing = NoFiles | PartialFile | CompleteFiles


class EarlierDownloads:
    """Looks for the files of earlier downloads of one URL. It changes no file, except for one leftover link.

    If `use` is False, it finds nothing, and the download starts over. With a `checksum`, only the checksum decides
    whether a file is complete. With `any_url`, the part of another URL or program is found too; then the server
    decides.
    """

    def __init__(self, url: str, *, use: bool, checksum: Checksum | None, any_url: bool = False) -> None:
        hashes = UrlHashes.of(url)
        self.url: str = hashes.url
        self._unsigned = hashes.unsigned
        self._use = use
        self._checksum = checksum
        self._any_url = any_url

    def open(self, path: Path, adoption: Adoption | None = None) -> PartPair:
        """Open the part files of a path, with an adopted part if any. Blocks on the disk.

        Raises TargetBusy or DiskError.
        """
        in_place = adoption is not None and adoption.is_in_place(path)
        part_file = PartFile(path, self.url, self._unsigned, foreign=in_place)
        if adoption:
            try:
                adoption.apply(part_file)
            except DiskError:
                part_file.close()
                raise
        return PartPair(part_file)

    async def adopt(self, path: Path, prove: Prove) -> Adoption | None:
        """Return another program's part for a path if the server proves its version; otherwise None."""
        part = await in_thread(partial(ForeignPart.of, path)) if self._any_url and self._use else None
        version = await prove(part) if part else None
        return Adoption(part, version) if part and version else None

    async def unfinished(self, directory: Path) -> tuple[Path, bool] | None:
        """Return the path of an unfinished download in a directory, and whether its URL had another signature.

        Raises DiskError if there is no such directory.
        """
        return await in_thread(partial(self._unfinished, directory))

    def _unfinished(self, directory: Path) -> tuple[Path, bool] | None:
        with map_disk_errors(directory):
            if not directory.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "no such folder")
            for renewed in (False, True) if self._use else (False,):
                if path := unfinished(directory, self.url, self._unsigned, renewed=renewed):
                    return path, renewed
        return None

    async def resume(self, parts: PartPair) -> PartialFile | None:
        """Return the part of an earlier download in the opened part files; None if they have none."""
        load = partial(parts.resume, any_url=self._any_url)
        record = await await_shielded(in_thread(load)) if self._use else None
        return PartialFile(record) if record else None

    async def back_to(self, parts: PartPair, version: RemoteVersion) -> Record | None:
        """Return the record of the other part if the server has its version again; otherwise None."""
        return await await_shielded(in_thread(partial(parts.back_to, version))) if self._use else None

    async def complete(self, path: Path, numbered: Iterable[Path], *, guess: bool) -> NoFiles | CompleteFiles:
        """Return the complete files at a path and its numbered names.

        With `guess`, a file at `path` of unknown origin counts if its size and modification time fit.

        Raises Unchanged if one of them has the caller's checksum, because then no request is needed.
        """
        versions = await in_thread(partial(self._versions, path, numbered, guess=guess))
        if self._checksum and self._use:
            for each in {path: None, **versions}:
                if await self._checksum.matches(each):
                    raise Unchanged(each, UNKNOWN)
        return CompleteFiles(versions) if versions and not self._checksum else NoFiles()

    def _versions(self, path: Path, numbered: Iterable[Path], *, guess: bool) -> dict[Path, RemoteVersion]:
        for new in (False, True):  # a killed process can leave the complete file under both names
            unlink_alias(part_of(path, new=new), path)
        if not self._use:
            return {}
        found = {path: load(path, self.url, guess=guess)}
        for each in numbered:  # a modification time alone does not prove that a numbered file is from this URL
            found.setdefault(each, load(each, self.url, guess=False))
        return {each: version for each, version in found.items() if version}

    def refuse_substitute(self, path: Path, remote: RemoteVersion) -> None:
        """Raise TransientError if a response must not replace the file at a path. Blocks on the disk.

        A server may send a login page or an error page in place of the file. The caller may expect the file at the path
        to be continued. Then a far smaller response, such as an error in JSON, must not replace it either.
        """
        with suppress(OSError):  # there is no file
            if remote.is_html:
                _refuse_page(path)
            if self._any_url and remote.total is not None:
                _refuse_smaller(path, remote.total)

    async def compare_digest(self, path: Path, head: ResponseHead, remote: RemoteVersion) -> None:
        """Raise Unchanged if a file has the digest that the server sent (RFC 9530), whatever its origin."""
        if self._checksum or not self._use or remote.total is None:
            return
        digest = Checksum.strongest(parse_digest(head.fields.get("repr-digest", "")))
        if digest and await digest.matches(path, size=remote.total):
            raise Unchanged(path, remote)


def is_taken(path: Path) -> bool:
    """Return whether a name is in use. A part file alone does not count: a killed process may have left it."""
    return _is_foreign(part_of(path)) or os.path.lexists(path) or os.path.lexists(journal_of(path))


def _is_foreign(part: Path) -> bool:
    try:
        mode = part.lstat().st_mode
    except OSError:  # there is none, or another download has just renamed it
        return False
    return not stat.S_ISREG(mode) or is_planted(part)


def _refuse_page(path: Path) -> None:
    with path.open("rb") as file:
        begin = file.read(_BEGIN_BYTES).removeprefix(BOM_UTF8).lstrip()
    if begin and not begin.startswith(b"<"):
        raise TransientError(BadResponse(f"the server sent an HTML page; {path.name} is no page and is kept"))


def _refuse_smaller(path: Path, total: int) -> None:
    size = path.stat().st_size
    if is_far_smaller(total, [RemoteVersion(size)]):
        raise TransientError(BadResponse(f"the server sent {total} bytes; {path.name} has {size} and is kept"))


def resumable(url: str, path: Path | None, directory: Path) -> bool:
    """Return whether there is a part that a download with these arguments of `Destination` can continue."""
    hashes = UrlHashes.of(url)
    if path is None:
        return unfinished(directory, hashes.url) is not None
    with suppress(OSError):
        names = [journal_of(resolve_links(path), new=new) for new in (False, True)]
        return any(Journal(each, hashes.url).load() for each in names)
    return False
