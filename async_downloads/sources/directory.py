"""A directory as a store: it serves regular files only, none outside the directory and none that are hidden.

First the text of a key is checked, so that `..`, an empty segment or a NUL never reaches the file system. Then the
file is opened, and the store checks where the open descriptor is, not where the path leads. So a link that is
swapped between the check and the opening gains nothing.
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


# NUL, a backslash, and the segments "", "." and "..". On Windows also a colon, which marks drives and streams.
_UNSAFE: Final = re.compile(r"[\0\\]|(?:^|/)\.{0,2}(?:/|\Z)" + ("|:" if os.name == "nt" else ""))
_HIDDEN: Final = re.compile(r"(?:^|/)\.")
_SUFFIXES: Final = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
_MAX_ENTRIES: Final = 10_000  # of a listing
_SMALL_BYTES: Final = 64 * 1024  # files up to this size are cached
# Directories sort first, then names. Names are unique, so Python never compares the last items.
_Sortable = tuple[bool, str, str, "os.DirEntry[str]"]


class DirectoryStore:
    """The regular files below a directory. A key is the path from the directory, with `/` between its segments.

    `hidden` also serves names that begin with a dot. `follow_symlinks` also serves files outside the directory that a
    link inside leads to; links that stay inside always work. With `precompressed`, the store opens `x.br`, `x.zst` or
    `x.gz` in the place of `x` if the client accepts that content coding and the file is not older than `x`.

    Owner: the application that created it; there is nothing to close. The store caches small files and remembers
    recently opened paths. It resolves the real place of the directory when it is created, and again when a file is
    not below that place: the directory may be a link that was replaced.
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
        self._small_files = SmallFileCache()
        self._resolve()

    def _resolve(self) -> None:
        """Store the real path of the directory, and its identity if the given path goes through a link."""
        real = os.path.realpath(self.directory)
        self._identity = _identity_of(self.directory) if real != self.directory else None
        self._prefix = os.path.join(real, "")

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> FileSource | MemorySource:
        """Open the file, or one of its precompressed siblings."""
        if key not in self._recent_paths:
            self._check_key(key)
        return await self._recent_paths.open(key, partial(self._open, key, codings), discard=_close)

    async def list(self, key: str) -> Listing:
        """Return up to 10,000 entries directly below the key that a client may open."""
        if key:
            self._check_key(key)
        return await in_thread(partial(self._list, key))

    def _check_key(self, key: str) -> None:
        if _UNSAFE.search(key) or (not self._hidden and _HIDDEN.search(key)):
            raise NotFound(f"{key!r} is not a valid key")

    def _open(self, key: str, codings: Sequence[str]) -> FileSource | MemorySource:
        opened, modified = self._open_one(key, key, None)
        for coding in codings if self._precompressed else ():
            try:
                sibling, coded = self._open_one(key + _SUFFIXES[coding], key, coding)
            except (DownloadError, KeyError):
                continue
            if coded >= modified:
                opened.close()
                return sibling
            sibling.close()
        return opened

    def _open_one(self, key: str, plain_key: str, coding: str | None) -> tuple[FileSource | MemorySource, int]:
        """Open a file if its place is allowed. Return it with its modification time in nanoseconds.

        `plain_key` is the key without the suffix of the content coding. A small file is read at once and cached.
        """
        path = f"{self.directory}/{key}"
        if cached := self._small_files.get(path, coding):
            return cached
        with map_os_errors(key):
            file, status = open_regular(path)
        if not self._is_allowed(_place_of(file.fd, path)):
            file.close()
            raise NotFound(f"{key} is outside {self.directory} or hidden")
        file.share()
        representation = describe(status, plain_key.rpartition("/")[2], coding=coding, negotiated=self._precompressed)
        source = FileSource(file, representation, mtime_ns=status.st_mtime_ns)
        if 0 < status.st_size <= _SMALL_BYTES and (data := source.read_nowait(ByteRange(0, status.st_size))):
            source.close()
            return self._small_files.put(path, status, MemorySource(data, representation)), status.st_mtime_ns
        return source, status.st_mtime_ns

    def _is_allowed(self, place: str) -> bool:
        if not self._confined:
            return True
        if not place.startswith(self._prefix) or (self._identity and self._identity != _identity_of(self.directory)):
            self._resolve()  # the directory may be a link that was replaced; then its old target is outside now
        inside = place.startswith(self._prefix) or place == self._prefix[:-1]
        return inside and (self._hidden or not _HIDDEN.search(place, len(self._prefix) - 1))

    def _list(self, key: str) -> Listing:
        path = os.path.join(self.directory, key)
        with map_os_errors(key):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                place = _place_of(fd, path)
                if not self._is_allowed(place):
                    raise NotFound(f"{key} is outside {self.directory} or hidden")
                with os.scandir(fd) as found:  # it duplicates the descriptor
                    first = nsmallest(_MAX_ENTRIES + 1, self._sortable(found, place))
                entries = tuple(_entries(first[:_MAX_ENTRIES]))  # `stat` of the entries needs the descriptor
            finally:
                os.close(fd)
        return Listing(entries, truncated=len(first) > _MAX_ENTRIES)

    def _sortable(self, found: Iterator["os.DirEntry[str]"], place: str) -> Iterator[_Sortable]:
        for item in found:
            if _UNSAFE.search(item.name) or (item.name.startswith(".") and not self._hidden):
                continue
            if item.is_symlink() and not self._is_allowed(os.path.realpath(os.path.join(place, item.name))):
                continue
            with suppress(OSError):  # it was removed meanwhile, or is a broken link
                if (is_directory := item.is_dir()) or item.is_file():
                    yield not is_directory, item.name.casefold(), item.name, item


def _entries(sorted_items: Iterable[_Sortable]) -> Iterator[Entry]:
    for is_file, _, name, item in sorted_items:
        if not is_file:
            yield Entry(name, is_directory=True)
            continue
        with suppress(OSError):  # it was removed meanwhile
            status = item.stat()
            yield Entry(name, is_directory=False, size=status.st_size, modified=int(status.st_mtime))


def _identity_of(path: str) -> tuple[int, int] | None:
    """Return device and inode, which identify a directory whatever path leads to it; None if it does not exist."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _close(source: FileSource | MemorySource) -> None:
    source.close()


def _place_of(fd: int, path: str) -> str:
    """Return the real path of an open file. Without /proc, return the real path that `path` has now."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        return os.path.realpath(path)
