"""The digests that a server promises, unasked or because Want-Repr-Digest asks for one: RFC 9530."""

import hashlib
from typing import Final

from ..errors import DigestMismatch
from ..semantics.digests import WANTED, parse_digest
from .checksum import Checksum
from .judge import Answer, Part, Whole

__all__ = ["PLEASE", "Proof", "promise", "promise_of_part"]

PLEASE: Final = {"Want-Repr-Digest": WANTED}
"""The fields that ask for it."""


def promise(answer: Answer, verdict: Whole | Part) -> Checksum | None:
    """Return the digest that an answer says the whole file has. That of coded bytes is of no use."""
    if verdict.version.coding:
        return None
    named = dict(parse_digest(answer.fields.get("repr-digest", "")))
    if isinstance(verdict, Whole):  # the content is the whole (RFC 9530 §2)
        named = {**parse_digest(answer.fields.get("content-digest", "")), **named}
    return Checksum.promised(named)


def promise_of_part(answer: Answer, verdict: Whole | Part) -> Checksum | None:
    """Return the digest that an answer says the bytes of its own body have, where they are not the whole file."""
    if isinstance(verdict, Whole):
        return None
    return Checksum.promised(parse_digest(answer.fields.get("content-digest", "")))


class Proof:
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
