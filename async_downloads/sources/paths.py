"""Several files and folders as one store, whose top folder lists exactly these."""

import asyncio
import os
import stat
from collections.abc import Hashable, Iterable, Sequence
from contextlib import ExitStack, suppress
from functools import lru_cache, partial
from typing import Final, NamedTuple

from ..errors import DownloadError, IsDirectory, NotFound
from ..file_systems import remote_device
from ..threads import LISTING_THREADS, in_thread
from .base import Entry, EtagKind, Listing
from .directory import DirectoryStore, is_hidden
from .directory_listing import entry_at, version_of
from .files import FileSource
from .memory import MemorySource
from .remote_entries import RemoteEntries

__all__ = ["PathLike", "PathsStore", "name_of", "named"]


_MAX_PATHS: Final = 10_000  # the top folder lists all of them
PathLike = str | os.PathLike[str]


def name_of(path: PathLike) -> str:
    """Return the name under which a path is listed: its last segment. For `.` it is the name of that folder."""
    return os.path.basename(os.path.abspath(path))


def named(paths: Iterable[PathLike], *, hidden: bool = False) -> dict[str, str]:
    """Return the absolute paths by their names.

    Raises ValueError if two paths have the same name, if a path has no name, if a name begins with a dot and `hidden`
    is False, or if there are more than 10,000 paths.
    """
    found: dict[str, str] = {}
    for path in map(os.path.abspath, paths):
        name = name_of(path)
        if not name:
            raise ValueError(f"{path} has no name: serve it without other paths")
        if is_hidden(name) and not hidden:
            raise ValueError(f"{path} is hidden: add --hidden")
        if found.setdefault(name, path) != path:
            raise ValueError(f"{found[name]} and {path} have the same name: serve the folders that they are in")
    if len(found) > _MAX_PATHS:
        raise ValueError(f"more than {_MAX_PATHS:,} files and folders: serve the folder that they are in")
    return found


class _Location(NamedTuple):
    """The store that contains a path: for a folder its own store, for a file the store of its parent folder."""

    store: DirectoryStore
    is_directory: bool

    def path(self, name: str) -> str:
        """Return the path that was given with that name."""
        return self.store.directory if self.is_directory else os.path.join(self.store.directory, name)


class PathsStore:
    """The files and folders at the given paths. A key begins with the last segment of one of the paths.

    Files below a folder are served as DirectoryStore serves them, with the same options. A path that is a symbolic link
    may lead to any file that is not hidden, because the caller gave this path. Files that are removed later are no
    longer listed.

    Raises ValueError as `named` does, and FileNotFoundError if a path does not exist. Owner: the application that
    created it; there is nothing to close.
    """

    def __init__(
        self,
        paths: Sequence[PathLike],
        *,
        hidden: bool = False,
        follow_symlinks: bool = False,
        precompressed: bool = True,
        etag: EtagKind = "exact",
    ) -> None:
        self.etag: EtagKind = etag
        self._parents: set[str] = set()  # the folders that the paths are in
        self._places: dict[str, _Location] = {}
        options = partial(DirectoryStore, hidden=hidden, precompressed=precompressed, etag=etag)
        make_store = lru_cache(maxsize=None)(options)
        for name, path in named(paths, hidden=hidden).items():
            parent = os.path.dirname(path)
            self._parents.add(parent)
            is_directory = stat.S_ISDIR(os.stat(path).st_mode)
            follows = follow_symlinks or (os.path.islink(path) and not is_directory)
            store = make_store(path if is_directory else parent, follow_symlinks=follows)
            self._places[name] = _Location(store, is_directory)

    @property
    def only_file(self) -> str | None:
        """The name of the file if the store has exactly one path and it is a file; otherwise None."""
        (name, place), *others = self._places.items()
        return None if others or place.is_directory else name

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> FileSource | MemorySource:
        """Open one of the files, or a file below one of the folders."""
        store, below = self._place(key)
        return await store.open(below, codings=codings)

    async def open_many(self, keys: Sequence[str]) -> Sequence[FileSource | MemorySource | None]:
        """Open many files, with one thread for each folder. Return None for a file that `open` must open."""
        below: dict[DirectoryStore, dict[int, str]] = {}
        for index, key in enumerate(keys):
            with suppress(DownloadError):
                store, key_there = self._place(key)
                below.setdefault(store, {})[index] = key_there
        found: dict[int, FileSource | MemorySource | None] = {}
        with ExitStack() as unless_complete:
            unless_complete.callback(lambda: [source.close() for source in found.values() if source])
            for store, keys_there in below.items():
                found.update(zip(keys_there, await store.open_many([*keys_there.values()]), strict=True))
            unless_complete.pop_all()
        return [found.get(index) for index in range(len(keys))]

    def _place(self, key: str) -> tuple[DirectoryStore, str]:
        """Return the store in which a key names a file, and the key there."""
        name, slash, rest = key.partition("/")
        place = self._places.get(name)
        if place is None or (slash and not place.is_directory):
            raise NotFound(f"{key!r} is not one of the served paths")
        if place.is_directory and not slash:
            raise IsDirectory(key)
        return place.store, rest if place.is_directory else name

    async def list(self, key: str) -> Listing:
        """Return the named files and folders, or the entries directly below a key."""
        if key:
            store, below = self._folder(key)
            return await store.list(below)
        return await in_thread(self._list_top, executor=LISTING_THREADS)

    async def list_version(self, key: str) -> Hashable:
        """Return a value that differs if the entries have changed; None if that is not certain."""
        if key:
            store, below = self._folder(key)
            return await store.list_version(below)
        if await in_thread(lambda: any(remote_device(parent) is not None for parent in self._parents)):
            return None  # a file system that does not respond must not delay the listing of all other paths
        with suppress(OSError):
            versions = await asyncio.gather(*map(version_of, self._parents))
            return None if None in versions else tuple(versions)
        return None

    def _folder(self, key: str) -> tuple[DirectoryStore, str]:
        """Return the store in which a key names a folder, and the key there."""
        name, _, below = key.partition("/")
        place = self._places.get(name)
        if place is None or not place.is_directory:
            raise NotFound(f"{key!r} is not one of the served folders")
        return place.store, below

    def _list_top(self) -> Listing:
        found, remote = [], RemoteEntries()
        for name, place in self._places.items():
            look = partial(_entry, name, place)
            if (device := remote_device(place.path(name))) is None:
                found.append(look())
            else:
                remote.add(device, look, guess=Entry(name, is_directory=place.is_directory))
        entries = [entry for entry in (*found, *remote.entries()) if entry]
        return Listing(tuple(sorted(entries, key=_order)))


def _entry(name: str, place: _Location) -> Entry | None:
    """Return the entry of a path; None if the path was removed or may not be opened."""
    if not place.is_directory:
        return place.store.entry(name)
    found = entry_at(place.store.directory, lambda _: True)
    return found if found and found.is_directory else None


def _order(entry: Entry) -> tuple[bool, str, str]:
    """Return the sort key: folders before files, then names without regard to case."""
    return not entry.is_directory, entry.name.casefold(), entry.name
