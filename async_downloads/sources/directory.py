"""A directory as a store: nothing outside it, nothing hidden, nothing but regular files.

A key is refused on its text first, so that `..`, an empty segment or a NUL never reaches the disk. Then the file is
opened, and what was opened, not the path to it, is asked where it lies: a link that is exchanged in between changes
nothing.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from heapq import nsmallest
from typing import Final

from ..errors import DownloadError, NotFound
from ..recent_paths import RecentPaths
from ..semantics.ranges import ByteRange
from ..threads import in_thread
from .base import Entry, Listing
from .files import FileSource, describe, map_os_errors, open_regular
from .memory import MemorySource
from .small_files import SmallFileCache

__all__ = ["DirectoryStore"]


# NUL, a backslash, and the segments "", "." and ".."; on Windows a colon too, for drives and streams.
_UNSAFE: Final = re.compile(r"[\0\\]|(?:^|/)\.{0,2}(?:/|\Z)" + ("|:" if os.name == "nt" else ""))
_HIDDEN: Final = re.compile(r"(?:^|/)\.")
_SUFFIXES: Final = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
_MOST: Final = 10_000  # entries of a listing
_SMALL: Final = 64 * 1024  # bytes of a file that is kept at hand
# Directories first, then by name; no two have the same, so that the last is never compared.
_Sortable = tuple[bool, str, str, "os.DirEntry[str]"]


class DirectoryStore:
    """The regular files below a directory; a key is the path from there, with `/` between its segments.

    Names that begin with a dot are not there unless `hidden`. Links may lead anywhere below the directory, and
    beyond only with `follow_symlinks`. With `precompressed`, a file `x.br`, `x.zst` or `x.gz` that is no older than
    `x` stands in for it where the client takes that content coding.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        hidden: bool = False,
        follow_symlinks: bool = False,
        precompressed: bool = True,
    ) -> None:
        self.directory: str = os.path.abspath(directory)
        self._hidden = hidden
        self._confined = not follow_symlinks
        self._precompressed = precompressed
        self._recent_paths = RecentPaths(self.directory)
        self._shelf = SmallFileCache()
        self._resolve()

    def _resolve(self) -> None:
        """Find out where the directory really is, and remember what tells that place from others."""
        real = os.path.realpath(self.directory)
        self._identity = _identity(self.directory) if real != self.directory else None
        self._prefix = os.path.join(real, "")

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> FileSource | MemorySource:
        """Open the file, or one of its precompressed siblings."""
        if key not in self._recent_paths:
            self._refuse(key)
        return await self._recent_paths.open(key, partial(self._open, key, codings), discard=_close)

    async def list(self, key: str) -> Listing:
        """Return what a client may open directly below the key, the first 10,000 entries of it."""
        if key:
            self._refuse(key)
        return await in_thread(partial(self._list, key))

    def _refuse(self, key: str) -> None:
        if _UNSAFE.search(key) or (not self._hidden and _HIDDEN.search(key)):
            raise NotFound(f"{key!r} is not a key")

    def _open(self, key: str, codings: Sequence[str]) -> FileSource | MemorySource:
        opened, modified = self._admit(key, key, None)
        for coding in codings if self._precompressed else ():
            try:
                sibling, coded = self._admit(key + _SUFFIXES[coding], key, coding)
            except (DownloadError, KeyError):
                continue
            if coded >= modified:
                opened.close()
                return sibling
            sibling.close()
        return opened

    def _admit(self, key: str, named: str, coding: str | None) -> tuple[FileSource | MemorySource, int]:
        """Open a file, see that it lies where it may, and return it with its modification time in nanoseconds.

        A small one is read at once and kept at hand: that is the whole of it.
        """
        path = f"{self.directory}/{key}"
        if kept := self._shelf.get(path, coding):
            return kept
        with map_os_errors(key):
            file, status = open_regular(path)
        if not self._may_lie(_whereabouts(file.fd, path)):
            file.close()
            raise NotFound(f"{key} leads out of {self.directory}, or to a hidden file")
        file.share()
        told = describe(status, named.rpartition("/")[2], coding=coding, negotiated=self._precompressed)
        source = FileSource(file, told, mtime_ns=status.st_mtime_ns)
        if 0 < status.st_size <= _SMALL and (data := source.read_nowait(ByteRange(0, status.st_size))):
            source.close()
            return self._shelf.put(path, status, MemorySource(data, told)), status.st_mtime_ns
        return source, status.st_mtime_ns

    def _may_lie(self, place: str) -> bool:
        if not self._confined:
            return True
        if not place.startswith(self._prefix) or (self._identity and self._identity != _identity(self.directory)):
            # The directory may be a link that was exchanged; what it led to before is outside by now.
            self._resolve()
        inside = place.startswith(self._prefix) or place == self._prefix[:-1]
        return inside and (self._hidden or not _HIDDEN.search(place, len(self._prefix) - 1))

    def _list(self, key: str) -> Listing:
        path = os.path.join(self.directory, key)
        with map_os_errors(key):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                place = _whereabouts(fd, path)
                if not self._may_lie(place):
                    raise NotFound(f"{key} leads out of {self.directory}, or to a hidden directory")
                with os.scandir(fd) as found:  # which takes a descriptor of its own
                    first = nsmallest(_MOST + 1, self._sortable(found, place))
                entries = tuple(_entries(first[:_MOST]))  # while the descriptor is open: they are asked through it
            finally:
                os.close(fd)
        return Listing(entries, truncated=len(first) > _MOST)

    def _sortable(self, found: Iterator["os.DirEntry[str]"], place: str) -> Iterator[_Sortable]:
        for item in found:
            if _UNSAFE.search(item.name) or (item.name.startswith(".") and not self._hidden):
                continue
            if item.is_symlink() and not self._may_lie(os.path.realpath(os.path.join(place, item.name))):
                continue
            with suppress(OSError):  # gone meanwhile, or a link to nowhere
                if (is_directory := item.is_dir()) or item.is_file():
                    yield not is_directory, item.name.casefold(), item.name, item


def _entries(sorted_items: Iterable[_Sortable]) -> Iterator[Entry]:
    for is_file, _, name, item in sorted_items:
        if not is_file:
            yield Entry(name, is_directory=True)
            continue
        with suppress(OSError):  # gone meanwhile
            status = item.stat()
            yield Entry(name, is_directory=False, size=status.st_size, modified=int(status.st_mtime))


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a directory from all others, whatever path leads to it."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _close(source: FileSource | MemorySource) -> None:
    source.close()


def _whereabouts(fd: int, path: str) -> str:
    """Return where an open file lies, all links followed; where the system cannot tell, where its path leads now."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        return os.path.realpath(path)
