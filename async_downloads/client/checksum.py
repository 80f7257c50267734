"""The digest that a file is to have, and the one it has."""

import asyncio
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from ..errors import DigestMismatch
from ..open_file import OpenFile
from ..semantics.digests import WANTED, parse_digest
from ..threads import await_shielded, in_thread
from .decisions.response import Full, Partial, ResponseHead

__all__ = ["WANT_DIGEST", "Checksum", "DigestCheck", "expected_digest", "expected_digest_of_part"]


WANT_DIGEST: Final = {"Want-Repr-Digest": WANTED}  # the fields that ask for a digest
_MIB: Final = 1024 * 1024
_STEP: Final = 16 * _MIB  # bytes that are read before it is looked at whether anybody still waits
_TEXT: Final = re.compile(r"([A-Za-z0-9-]+):([0-9A-Fa-f]+)")
_ALGORITHMS: Final = ("sha256", "sha512", "sha384", "sha224", "sha1", "md5", "sha3_256", "sha3_512", "blake2b")


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Checksum:
    """The digest of a whole file. Its text is like `sha256:HEX`.

    >>> str(Checksum.parse("SHA-1:DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"))
    'sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709'
    """

    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a user says. ValueError for an unknown algorithm, or a digest of another length."""
        found = _TEXT.fullmatch(text.strip())
        if not found:
            raise ValueError("a checksum is like sha256:HEX")
        algorithm, digits = re.sub(r"^sha-", "sha", found[1].lower()).replace("-", "_"), found[2]
        if algorithm not in _ALGORITHMS:
            raise ValueError(f"no checksum is known as {found[1]}; known are {', '.join(_ALGORITHMS)}")
        if len(digits) != (length := 2 * hashlib.new(algorithm, usedforsecurity=False).digest_size):
            told = f"a checksum with {len(digits)} digits is none of {algorithm}, which has {length}"
            raise ValueError(f"{told}; known are {', '.join(_ALGORITHMS)}")
        return cls(algorithm, bytes.fromhex(digits))

    @classmethod
    def strongest(cls, digests: Mapping[str, bytes]) -> Self | None:
        """Choose the strongest of what Repr-Digest names (RFC 9530)."""
        for name in ("sha-512", "sha-256"):
            if name in digests:
                return cls(name.replace("-", ""), digests[name])
        return None

    async def verify(self, fd: int) -> None:
        """DigestMismatch when a file has another digest."""
        actual = await self.actual(fd)
        if actual != self:
            raise DigestMismatch(str(self), str(actual))

    async def matches(self, path: Path, *, size: int | None = None) -> bool:
        """Whether there is a file, of this size if one is given, and it has this digest."""
        try:
            file = await in_thread(lambda: OpenFile(str(path)), discard=OpenFile.close)
        except OSError:
            return False
        try:
            fits = stat.S_ISREG(file.status.st_mode) and size in {None, file.status.st_size}
            return fits and await self.actual(file.fd) == self
        finally:
            file.close()

    async def actual(self, fd: int) -> "Checksum":
        """Return the digest that a file has, read in a thread."""
        hashed, offset = hashlib.new(self.algorithm, usedforsecurity=False), 0
        while read := await await_shielded(asyncio.to_thread(_update, hashed, fd, offset)):
            offset += read
        return Checksum(self.algorithm, hashed.digest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest.hex()}"


def expected_digest(answer: ResponseHead, verdict: Full | Partial) -> Checksum | None:
    """Return the digest that an answer says the whole file has. That of coded bytes is of no use."""
    if verdict.version.coding:
        return None
    named = dict(parse_digest(answer.fields.get("repr-digest", "")))
    if isinstance(verdict, Full):  # the content is the whole (RFC 9530 §2)
        named = {**parse_digest(answer.fields.get("content-digest", "")), **named}
    return Checksum.strongest(named)


def expected_digest_of_part(answer: ResponseHead, verdict: Full | Partial) -> Checksum | None:
    """Return the digest that an answer says the bytes of its own body have, where they are not the whole file."""
    if isinstance(verdict, Full):
        return None
    return Checksum.strongest(parse_digest(answer.fields.get("content-digest", "")))


class DigestCheck:
    """Holds a stream to what was promised for it; where that is nothing, it costs nothing."""

    def __init__(self, promised: Checksum | None = None) -> None:
        self._promised = promised
        self._hashed = hashlib.new(promised.algorithm, usedforsecurity=False) if promised else None

    def add(self, chunk: bytes) -> None:
        """Take the next bytes into account."""
        if self._hashed:
            self._hashed.update(chunk)

    def verify(self) -> None:
        """DigestMismatch when all that was added is not what was promised."""
        if self._promised and self._hashed:
            actual = Checksum(self._promised.algorithm, self._hashed.digest())
            if actual != self._promised:
                raise DigestMismatch(str(self._promised), str(actual))


def _update(hashed: _Hash, fd: int, offset: int) -> int:
    """Hash the next bytes of a file; return how many those were."""
    read = 0
    while read < _STEP and (data := os.pread(fd, _MIB, offset + read)):
        hashed.update(data)
        read += len(data)
    return read
