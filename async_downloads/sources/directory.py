"""A directory as a store. It serves only regular files that are inside the directory and not hidden.

First the store checks the text of a key, so that `..`, an empty segment or a NUL never reaches the file system. Then it
opens the file and checks the real path of the open descriptor, not of the key. So it does not help an attacker to
replace a link between the check and the opening.
"""

import errno
import os
import re
import stat
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import Final

from ..errors import DownloadError, NotFound
from ..file_systems import place_of, remote_device
from ..open_file import OpenFile
from ..recent_paths import RecentPaths
from ..semantics.representation import Representation
from ..threads import MustWait, in_thread, is_on_loop
from .base import MAX_ENTRIES, Entry, EtagKind, Listing
from .confinement import HIDDEN, Confinement
from .digests import remember_digest
from .directory_file import DirectoryFile
from .directory_listing import entry_at, list_in_thread, read_entries, version_of
from .files import FileSource
from .memory import MemorySource
from .opening import describe, map_os_errors, open_regular, with_digest
from .precompressed import SUFFIXES, RecentCodings, is_complete, is_settled
from .small_files import SmallFileCache

__all__ = ["DirectoryStore", "is_hidden"]


# NUL, and the segments "", "." and "..". On Windows also a backslash, and a colon, which marks drives and streams.
_UNSAFE: Final = re.compile(r"\0|(?:^|/)\.{0,2}(?:/|\Z)" + (r"|[\\:]" if os.name == "nt" else ""))
_SMALL_BYTES: Final = 64 * 1024  # files up to this size are cached


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is hidden."""
    return HIDDEN.match(name) is not None


class DirectoryStore:
    """The regular files below a directory. A key is the path from the directory, with `/` between its segments.

    `hidden` also serves names that begin with a dot. `follow_symlinks` also serves files outside the directory that a
    link inside leads to; links that stay inside always work. With `precompressed`, the store opens `x.br`, `x.zst` or
    `x.gz` instead of `x` if the client accepts that content coding, and that file is complete and as new as `x`.
    A listing has at most `max_entries` entries. Raises NotADirectoryError if there is no such directory.

    `etag` says what ETags are made from. "exact" uses the times and the size, and notices every change on one host.
    "mtime" uses the modification time and the size: copies on several hosts have equal ETags if they have equal dates
    (`rsync -a`). "digest" uses the SHA-256 digest of the bytes: copies always have equal ETags. The digest is computed
    in a thread, or read from `x.sha256` or the attribute `user.sha256` if that is no older than `x`. Until it is known,
    the ETag is weak and the response does not offer ranges.

    Owner: the application that created it; there is nothing to close. The store caches small files and remembers
    recently opened paths.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        hidden: bool = False,
        follow_symlinks: bool = False,
        precompressed: bool = True,
        max_entries: int = MAX_ENTRIES,
        etag: EtagKind = "exact",
    ) -> None:
        self.directory: str = os.path.abspath(directory)
        self._max_entries = max_entries
        self._hidden = hidden
        self._precompressed = precompressed
        self.etag: EtagKind = etag
        self._recent_paths = RecentPaths(self.directory)
        self._small_files = SmallFileCache()
        self._recent_codings = RecentCodings()
        self._confinement = Confinement(self.directory, hidden=hidden, follow_symlinks=follow_symlinks)
        if _is_no_directory(self.directory):
            raise NotADirectoryError(errno.ENOTDIR, "There is no such directory", self.directory)

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> FileSource | MemorySource:
        """Open the file, or one of its precompressed siblings. Raises the errors of `Store.open`."""
        wanted = tuple(codings) if self._precompressed else ()
        chosen = self._recent_codings.get(key, wanted) if wanted else ()
        if key not in self._recent_paths:
            self._check_key(key)
        elif chosen == () and (cached := self._small_files.get(f"{self.directory}/{key}", None)):
            return cached[0]
        looked_for = wanted if chosen is None else chosen
        opened = await self._recent_paths.open(key, partial(self._open, key, looked_for), discard=_close)
        if chosen is None:
            self._recent_codings.put(key, wanted, opened.representation.coding)
        self._small_files.sweep_later()
        return opened

    async def open_many(self, keys: Sequence[str]) -> Sequence[FileSource | MemorySource | None]:
        """Open files in one thread. Return None for a file that cannot be opened or is not on a local file system."""
        return await in_thread(partial(self._open_many, keys), discard=_close_all)

    def _open_many(self, keys: Sequence[str]) -> list[FileSource | MemorySource | None]:
        found: list[FileSource | MemorySource | None] = []
        for key in keys:
            source = None
            with suppress(DownloadError):
                self._check_key(key)
                if remote_device(f"{self.directory}/{key}") is None:
                    source = self._open_one(key, key, None)[0]
            found.append(source)
        return found

    async def list(self, key: str) -> Listing:
        """Return the entries directly below the key that a client may open. Raises NotFound if it is no directory."""
        if key:
            self._check_key(key)
        return await list_in_thread(os.path.join(self.directory, key), partial(self._list, key))

    async def list_version(self, key: str) -> Hashable:
        """Return a value that differs if the entries have changed; None if that is not certain."""
        if key:
            self._check_key(key)
        with map_os_errors(key):
            return await version_of(os.path.join(self.directory, key))

    def entry(self, name: str) -> Entry | None:
        """Return the entry of a file directly in the directory; None if no client may open it.

        Call this in a thread, because it may wait for the disk.
        """
        found = entry_at(os.path.join(self.directory, name), self._confinement.is_allowed)
        return found if found and not found.is_directory else None

    def _check_key(self, key: str) -> None:
        if _UNSAFE.search(key) or (not self._hidden and HIDDEN.search(key)):
            raise NotFound(f"{key!r} is not a valid key")

    def _open(self, key: str, codings: Sequence[str]) -> FileSource | MemorySource:
        opened, modified_ns = self._open_one(key, key, None)
        try:
            siblings = (self._sibling(key, coding, opened, modified_ns) for coding in codings)
            sibling = next((found for found in siblings if found), None)
        except BaseException:
            opened.close()
            raise
        if sibling:
            opened.close()
        return sibling or opened

    def _sibling(
        self, key: str, coding: str, plain: FileSource | MemorySource, modified_ns: int
    ) -> FileSource | MemorySource | None:
        """Open the file with this content coding that may be sent instead of `plain`; None if there is no such file."""
        if coding not in SUFFIXES:
            return None
        coded_key = key + SUFFIXES[coding]
        device = remote_device(f"{self.directory}/{coded_key}")
        if device is not None and device != remote_device(f"{self.directory}/{key}"):
            return None  # a link to a file system for which this thread, or the event loop, must not wait
        # In a thread, MustWait means that another program has a lease on the file. Such a file counts as missing.
        leased = () if is_on_loop() else (MustWait,)
        with suppress(DownloadError, *leased):
            source, coded_ns = self._open_one(coded_key, key, coding)
            is_equal = False
            try:
                is_equal = is_settled(coded_ns, modified_ns) and is_complete(source, plain.representation.size)
                return source if is_equal else None
            finally:
                if not is_equal:
                    source.close()
        return None

    def _open_one(self, key: str, plain_key: str, coding: str | None) -> tuple[FileSource | MemorySource, int]:
        """Open a file, or take a small one from the cache. Return it with its modification time in nanoseconds.

        `plain_key` is the key without the suffix of the content coding. A small file is read at once and cached.
        """
        path = f"{self.directory}/{key}"
        if cached := self._small_files.get(path, coding):
            return cached
        file, status = self._open_allowed(key, path)
        representation = describe(status, plain_key.rpartition("/")[2], coding=coding, negotiated=self._precompressed)
        source = DirectoryFile(file, representation, path=path, kind=self.etag)
        try:
            data = source.read_small(_SMALL_BYTES)
        except BaseException:
            source.close()
            raise
        status = source.status
        if data is None:
            return source, status.st_mtime_ns
        source.close()
        in_memory = MemorySource(data, self._described(data, source))
        return self._small_files.put(path, status, in_memory), status.st_mtime_ns

    def _open_allowed(self, key: str, path: str) -> tuple[OpenFile, os.stat_result]:
        """Open a regular file and check its real path, which may be another one because of links."""
        with map_os_errors(key):
            file, status = open_regular(path)
        try:
            self._check_place(key, file.place or os.path.realpath(path))
        except NotFound:
            file.close()
            raise
        file.share()
        return file, status

    def _check_place(self, key: str, place: str) -> None:
        if not self._confinement.is_allowed(place):
            raise NotFound(f"{key} is outside {self.directory} or hidden")

    def _described(self, data: bytes, source: DirectoryFile) -> Representation:
        """Return the description of a small file, whose digest is computed at once."""
        if self.etag != "digest":
            return source.representation
        digest = sha256(data).digest()
        remember_digest(source.status, digest)
        return with_digest(source.representation, digest)

    def _list(self, key: str) -> Listing:
        path = os.path.join(self.directory, key)
        with map_os_errors(key):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                place = place_of(fd) or os.path.realpath(path)
                self._check_place(key, place)
                return read_entries(
                    fd, place, self._max_entries, is_shown=self._is_shown, is_allowed=self._confinement.is_allowed
                )
            finally:
                os.close(fd)

    def _is_shown(self, name: str) -> bool:
        return not _UNSAFE.search(name) and (self._hidden or not is_hidden(name))


def _is_no_directory(path: str) -> bool:
    try:
        return not stat.S_ISDIR(os.stat(path).st_mode)
    except PermissionError:  # the directory may become readable later; until then its files are forbidden
        return False
    except OSError:
        return True


def _close(source: FileSource | MemorySource) -> None:
    source.close()


def _close_all(sources: Iterable[FileSource | MemorySource | None]) -> None:
    for source in sources:
        if source:
            source.close()
