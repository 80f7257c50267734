"""Content codings that a client accepts: RFC 9110 §12.5.3."""

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from .tokens import TOKEN

__all__ = ["GZIP_MEMBER", "GZIP_OR_ZLIB", "acceptable"]


GZIP_MEMBER: Final = b"\x1f"  # the first byte of a gzip member (RFC 1952 §2.3.1)
GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS  # the `wbits` with which zlib tells both formats apart
_RECURRING_CHARACTERS: Final = 200  # longer fields are not cached: a few browsers make almost all requests
_MAX_MEMBERS: Final = 64  # of a list; fewer codings are registered
_MEMBER = re.compile(
    rf"(?P<coding>{TOKEN}+)"
    r"(?:[ \t]*+;[ \t]*+[qQ]=(?P<weight>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
)
_ALIASES = {"x-gzip": "gzip"}


def acceptable(value: str, offered: Sequence[str]) -> tuple[str, ...]:
    """Return the `offered` codings that the client likes at least as much as no coding; the preferred one first.

    Malformed members, and all members after the first 64, are ignored. If the request has no Accept-Encoding, pass "":
    no coding is then acceptable.

    >>> acceptable("gzip, br;q=0.8, zstd;q=0", ["br", "zstd", "gzip"])
    ('gzip', 'br')
    """
    return (_recurring if len(value) < _RECURRING_CHARACTERS else _acceptable)(value, tuple(offered))


def _acceptable(value: str, offered: tuple[str, ...]) -> tuple[str, ...]:
    weights = _weights(value)
    other = weights.get("*", 0.0)
    floor = weights.get("identity", 0.0)
    taken = [coding for coding in offered if 0 < weights.get(coding, other) >= floor]
    return tuple(sorted(taken, key=lambda coding: -weights.get(coding, other)))


_recurring: Final = lru_cache(maxsize=256)(_acceptable)


def _weights(value: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for member in value.split(",", _MAX_MEMBERS)[:_MAX_MEMBERS]:
        if found := _MEMBER.fullmatch(member.strip(" \t")):
            coding = found["coding"].lower()
            weights[_ALIASES.get(coding, coding)] = float(found["weight"] or 1)
    return weights
