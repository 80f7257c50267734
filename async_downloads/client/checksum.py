"""The digest that a file must have, and the digest that it has."""

import asyncio
import hashlib
import os
import re
import stat
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from ..errors import DigestMismatch
from ..open_file import OpenFile
from ..semantics.digests import WANTED, parse_digest
from ..threads import await_shielded, in_thread
from .decisions.verdict import Full, Partial, ResponseHead

__all__ = ["WANT_DIGEST", "Checksum", "DigestCheck", "expected_digest", "expected_digest_of_part"]


WANT_DIGEST: Final = {"Want-Repr-Digest": WANTED}  # the fields that ask for a digest
_READ_BYTES: Final = 1024 * 1024
_HOP_BYTES: Final = 16 * _READ_BYTES  # hashed in one thread hop; a cancelled caller waits for the end of one hop
_TEXT: Final = re.compile(r"(?:([A-Za-z0-9-]+)[:=])?([0-9A-Fa-f]+)")
_INTEGRITY: Final = re.compile(r"(sha256|sha384|sha512)-([A-Za-z0-9+/]+=*)")  # as web pages and npm write it
_BY_DIGITS: Final = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
_ALGORITHMS: Final = ("sha256", "sha512", "sha384", "sha224", "sha1", "md5", "sha3_256", "sha3_512", "blake2b")


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Checksum:
    """A digest with its algorithm, written as `sha256:HEX`.

    `parse` also reads `sha-256=HEX` of aria2, `sha256-BASE64` of Subresource Integrity, and HEX alone, whose length
    determines the algorithm, as in SHA256SUMS.

    >>> str(Checksum.parse("SHA-1:DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"))
    'sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709'
    """

    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a checksum. Raises ValueError if the algorithm is unknown or the digest has the wrong length."""
        found = _TEXT.fullmatch(_in_hex(text.strip()))
        name = found and (found[1] or _BY_DIGITS.get(len(found[2])))
        if not found or not name:
            raise ValueError("a checksum looks like sha256:HEX")
        digits = found[2]
        algorithm = re.sub(r"^sha-", "sha", name.lower()).replace("-", "_")
        if algorithm not in _ALGORITHMS:
            raise ValueError(f"unknown checksum algorithm {name}; known: {', '.join(_ALGORITHMS)}")
        if len(digits) != (length := 2 * hashlib.new(algorithm, usedforsecurity=False).digest_size):
            problem = f"a {algorithm} checksum has {length} hexadecimal digits, not {len(digits)}"
            raise ValueError(f"{problem}; known: {', '.join(_ALGORITHMS)}")
        return cls(algorithm, bytes.fromhex(digits))

    @classmethod
    def strongest(cls, digests: Mapping[str, bytes]) -> Self | None:
        """Return the strongest of the digests in a digest field (RFC 9530); None if there are none."""
        for name in ("sha-512", "sha-256"):
            if name in digests:
                return cls(name.replace("-", ""), digests[name])
        return None

    async def verify(self, fd: int) -> None:
        """Hash an open file. Raises DigestMismatch if it has a different digest."""
        actual = await self.actual(fd)
        if actual != self:
            raise DigestMismatch(str(self), str(actual))

    async def matches(self, path: Path, *, size: int | None = None) -> bool:
        """Return whether the path is a file with this digest, and with `size` bytes if given."""
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
        """Return the digest of an open file, read in threads."""
        hashed, offset = hashlib.new(self.algorithm, usedforsecurity=False), 0
        while read := await await_shielded(asyncio.to_thread(_hash_next, hashed, fd, offset)):
            offset += read
        return Checksum(self.algorithm, hashed.digest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest.hex()}"


def _in_hex(text: str) -> str:
    """Return a digest in Base64 in hexadecimal digits, and any other text unchanged."""
    found = _INTEGRITY.fullmatch(text)
    try:
        return f"{found[1]}:{b64decode(found[2], validate=True).hex()}" if found else text
    except ValueError:
        return text


def expected_digest(head: ResponseHead, verdict: Full | Partial) -> Checksum | None:
    """Return the digest of the whole file in a response (RFC 9530); None if the body has a content coding."""
    if verdict.version.coding:
        return None
    digests = dict(parse_digest(head.fields.get("repr-digest", "")))
    if isinstance(verdict, Full):  # its content is the whole file (RFC 9530 §2)
        digests = {**parse_digest(head.fields.get("content-digest", "")), **digests}
    return Checksum.strongest(digests)


def expected_digest_of_part(head: ResponseHead, verdict: Full | Partial) -> Checksum | None:
    """Return the digest of the body in a partial response (Content-Digest, RFC 9530 §2)."""
    if isinstance(verdict, Full):
        return None
    return Checksum.strongest(parse_digest(head.fields.get("content-digest", "")))


class DigestCheck:
    """Hashes a stream and compares its digest with the expected one. If no digest is expected, it does not hash."""

    def __init__(self, expected: Checksum | None = None) -> None:
        self._expected = expected
        self._hashed = hashlib.new(expected.algorithm, usedforsecurity=False) if expected else None

    def add(self, chunk: bytes) -> None:
        """Hash the next bytes."""
        if self._hashed:
            self._hashed.update(chunk)

    def verify(self) -> None:
        """Raise DigestMismatch if the digest of the bytes is not the expected one."""
        if self._expected and self._hashed:
            actual = Checksum(self._expected.algorithm, self._hashed.digest())
            if actual != self._expected:
                raise DigestMismatch(str(self._expected), str(actual))


def _hash_next(hashed: _Hash, fd: int, offset: int) -> int:
    """Hash the next bytes from `offset` on. Return their number, which is 0 at the end of the file."""
    read = 0
    while read < _HOP_BYTES and (data := os.pread(fd, _READ_BYTES, offset + read)):
        hashed.update(data)
        read += len(data)
    return read
