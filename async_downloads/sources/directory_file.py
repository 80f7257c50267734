"""A file of a directory, with an ETag of the kind that the store wants, and with a digest that may be known."""

import os
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from ..open_file import OpenFile
from ..semantics.representation import Representation
from .base import EtagKind, SupportsDigest
from .digests import NO_BYTES, hashing_of, known_digest, remember_digest
from .files import FileSource
from .opening import pack_version, validators_of, with_digest
from .stated_digests import stated_digest

__all__ = ["DirectoryFile", "tagged"]


def tagged(found: Representation, status: os.stat_result, kind: EtagKind) -> Representation:
    """Return the description of a file with the ETag of its kind.

    With "digest", the ETag is weak and the response offers no ranges until the digest is known, because until then
    other replicas have another ETag for the same bytes.
    """
    if kind == "exact":
        return found
    if kind == "mtime" or (version := pack_version(status)) is None:
        return replace(found, validators=validators_of(status, kind))
    if digest := known_digest(version) if status.st_size else NO_BYTES:
        return with_digest(found, digest)
    etag = found.validators.etag
    validators = replace(found.validators, etag=etag and replace(etag, weak=True))
    return replace(found, validators=validators, ranges=False, digest=None)


class DirectoryFile(FileSource, SupportsDigest):
    """A file of a DirectoryStore. `path` is where it was opened.

    The first call of `find_digest` starts to hash the file. Hashing stops when the source is closed.
    """

    __slots__ = ("_kind", "_opened_at", "_wanted")
    representation: Representation

    def __init__(self, file: OpenFile, representation: Representation, *, path: str, kind: EtagKind) -> None:
        super().__init__(file, tagged(representation, file.status, kind))
        self._kind = kind
        self._opened_at = path
        self._wanted: ExitStack | None = None

    @property
    def packed_version(self) -> bytes | None:
        """The version as `pack_version` returns it."""
        return pack_version(self.status)

    async def find_digest(self, seconds: float) -> None:
        """Add the digest to `representation`: a known one, a computed one (kind "digest" only), or a stated one."""
        digest = known_digest(self.packed_version)
        if digest is None and self._kind == "digest":
            digest = await self._hashed(seconds)
        elif digest is None:
            digest = await self._file.run(partial(stated_digest, self._opened_at, self._file.fd, self.status))
            if digest:
                remember_digest(self.status, digest)
        if digest and self._kind == "digest":
            self.representation = with_digest(self.representation, digest)
        elif digest:
            self.representation = replace(self.representation, digest=digest)

    async def _hashed(self, seconds: float) -> bytes | None:
        hashing = hashing_of(self.status, self._opened_at)
        if hashing is None:
            return None
        self._wanted = self._wanted or ExitStack()
        self._wanted.enter_context(hashing.wanted(self._file.fd))
        return await hashing.digest(seconds)

    def _describe_again(self) -> None:
        super()._describe_again()
        self.representation = tagged(replace(self.representation, digest=None), self.status, self._kind)

    def close(self) -> None:
        """Close the file. Stop hashing it unless another source of this version is open."""
        if self._wanted:
            self._wanted.close()
        super().close()
