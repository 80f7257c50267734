"""Which version of a resource an answer speaks of, and whether two answers speak of the same: RFC 9110 §8.8.

Bytes of two answers may be put together only when both have the same strong validator. That is a strong ETag, or
without any ETag a Last-Modified that is old enough at the server's Date: a file may change twice in one second.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from ...semantics.dates import format_date, parse_date
from ...semantics.etags import ETag
from ...semantics.representation import Validators

__all__ = ["UNKNOWN", "RemoteVersion", "content_coding", "url_hash"]


_NONE: Final = Validators()
_IMF: Final = 29  # characters of a date; of the two that some servers send, the last one
_STEADY: Final = 60  # seconds between Last-Modified and Date, for the clock of a server's disk need not be its own


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """One version of a resource: its size in bytes when that is known, and what tells it from others.

    `if_range` is the strong validator as If-Range takes it; None when parts of this version cannot be put together.
    `coding` is the content coding the server chose in spite of being asked for none.
    """

    total: int | None = None
    validators: Validators = _NONE
    if_range: str | None = None
    coding: str | None = None

    @classmethod
    def from_fields(cls, fields: Mapping[str, str], total: int | None, *, now: int) -> Self:
        """Read what the fields of an answer say; `now` settles the century of an old date."""
        etag = ETag.parse(fields.get("etag", ""))
        modified = parse_date(fields.get("last-modified", ""), now=now)
        date = parse_date(fields.get("date", "")[-_IMF:], now=now)
        validators, coding = Validators(etag, modified), content_coding(fields)
        if coding:
            return cls(None, validators, None, coding)
        return cls(total, validators, _strong(validators, date, named="etag" in fields))

    def strongly_matches(self, other: "RemoteVersion") -> bool:
        """Whether the bytes of the other version are those of this one, which is promised by a strong validator."""
        return self.if_range is not None and not other.coding and self._fits(other) and self._agrees(other)

    def weakly_matches(self, other: "RemoteVersion") -> bool:
        """Whether a whole file of this version may stand for the other one, though no byte of them be mixed.

        For that a weak ETag is enough (§8.8.3.2), and so is any date along with the size.
        """
        etag = self.validators.etag
        if other.coding or not self._fits(other):
            return False
        return etag.weakly_equals(other.validators.etag) if etag else self.total == other.total and self._agrees(other)

    def with_total(self, total: int | None) -> "RemoteVersion":
        """Return the version with its size, if that was not known."""
        return self if self.total is not None else replace(self, total=total)

    def _fits(self, other: "RemoteVersion") -> bool:
        return None in {self.total, other.total} or self.total == other.total

    def _agrees(self, other: "RemoteVersion") -> bool:
        mine, others = self.validators, other.validators
        if mine.etag:
            return mine.etag.strongly_equals(others.etag)
        return mine.last_modified is not None and mine.last_modified == others.last_modified


UNKNOWN: Final = RemoteVersion()


def content_coding(fields: Mapping[str, str]) -> str | None:
    """Return the content coding of an answer, in lower case; None when the bytes are as they are."""
    coding = fields.get("content-encoding", "").strip(" \t").lower()
    return None if coding in {"", "identity"} else coding


def _strong(validators: Validators, date: int | None, *, named: bool) -> str | None:
    """Return what If-Range may carry (§13.1.5): no weak ETag, and a date only where there is no ETag at all."""
    if named:
        return str(validators.etag) if validators.etag and not validators.etag.weak else None
    modified = validators.last_modified
    if modified is None or date is None or date - modified < _STEADY:
        return None
    return format_date(modified)


def url_hash(url: str) -> str:
    """Name a URL without telling it: neither the user's name and password nor the fragment have a part in it."""
    parts = urlsplit(url)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
    return hashlib.sha256(urlunsplit(bare).encode("utf-8", "surrogatepass")).hexdigest()
