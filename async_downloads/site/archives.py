"""Archives of a store's folders: a request has `?zip` or `?tar`, and `name=` for each selected entry."""

from collections.abc import Hashable
from functools import partial
from typing import Final, NamedTuple
from urllib.parse import parse_qsl
from weakref import WeakValueDictionary

from ..asgi import Downloads, text_response
from ..errors import ArchiveTooLarge
from ..request_target import has_parameter
from ..responder import Response
from ..sending import Receive, Scope
from ..sources.archive.source import ArchiveKind, ArchiveSource
from ..sources.archive.walk import DEFAULT_LIMITS, ArchiveLimits, archive_of
from .held_memory import MemoryLease
from .pages import client_left, unless_left
from .shared_work import SharedWork

__all__ = ["Archives", "WantedArchive", "wanted_archive"]


_NAME_OF_TOP: Final = "files"
_ENTRY_BYTES: Final = 1_500  # of memory, with its name and its places in the archive
_KINDS: Final[dict[bytes, ArchiveKind]] = {b"zip": "zip", b"tar": "tar"}


class WantedArchive(NamedTuple):
    """The archive that a request asks for. If no entry is selected, it contains all entries of the folder."""

    kind: ArchiveKind
    selection: frozenset[str]


def wanted_archive(query: bytes) -> WantedArchive | None:
    """Return the archive that a query asks for, or None.

    >>> wanted_archive(b"zip&name=a+b/")
    WantedArchive(kind='zip', selection=frozenset({'a b'}))
    """
    for word, kind in _KINDS.items():
        if has_parameter(query, word):
            fields = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
            return WantedArchive(kind, frozenset(value.removesuffix("/") for name, value in fields if name == "name"))
    return None


class Archives:
    """The archives of one store. A folder is read once for all requests that wait for the same archive of it.

    Archives that are being sent and have the same ETag are one object, so the list of members is in memory once.
    Those with other members have a list each, in `HeldMemory`. It belongs to one event loop.
    """

    def __init__(self, downloads: Downloads, limits: ArchiveLimits = DEFAULT_LIMITS) -> None:
        self._downloads = downloads
        self._limits = limits
        self._work = SharedWork[ArchiveSource](lambda _: 0)
        self._sent: WeakValueDictionary[Hashable, ArchiveSource] = WeakValueDictionary()

    async def respond(self, folder: str, wanted: WantedArchive, scope: Scope, receive: Receive) -> Response:
        """Return the response with an archive of a folder. Raises DownloadError as `archive_of` does."""
        try:
            archive = await unless_left(self._work.get((folder, wanted), partial(self._make, folder, wanted)), receive)
        except ArchiveTooLarge as error:
            return _too_large(error)
        return await self._downloads.respond_with(archive, scope, attachment=True) if archive else client_left()

    async def _make(self, folder: str, wanted: WantedArchive) -> ArchiveSource:
        lease = MemoryLease()
        try:
            made = await self._walk(folder, wanted, lease)
        except BaseException:
            lease.release()
            raise
        lease.hold_for(made)
        name, tag = made.representation.filename, made.representation.validators.etag
        return self._sent.setdefault((tag, name), made) if tag else made

    async def _walk(self, folder: str, wanted: WantedArchive, lease: MemoryLease) -> ArchiveSource:
        lease.grow(_ENTRY_BYTES)  # no folder is read if there is no room
        return await archive_of(
            self._downloads.store,
            folder,
            folder.rpartition("/")[2] or _NAME_OF_TOP,
            wanted.kind,
            selection=sorted(wanted.selection),
            limits=self._limits,
            on_entries=lambda count: lease.grow(_ENTRY_BYTES * count),
        )


def _too_large(error: ArchiveTooLarge) -> Response:
    """Return a response that says how to get a smaller archive."""
    text = f"This folder is too large for one archive: it has {error}. Select some of its entries."
    return text_response(413, text, ("Cache-Control", "no-cache"))
