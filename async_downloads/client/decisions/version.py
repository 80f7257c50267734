"""The version of a resource that a response carries, and whether two versions are the same: RFC 9110 §8.8.

The bytes of two responses may be combined only if both have the same strong validator. That is a strong ETag or,
without any ETag, a Last-Modified well before the server's Date: a file may change twice in one second.
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


_NO_VALIDATORS: Final = Validators()
_DATE_CHARACTERS: Final = 29  # some servers send two dates in one field; the last one counts
_STRONG_AFTER_SECONDS: Final = 60  # from Last-Modified to Date: the clocks of a server and its disk may differ


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """One version of a resource: its size in bytes if known, and the validators that distinguish it.

    `if_range` is the strong validator, written as for If-Range; None if parts of this version cannot be combined.
    `coding` is the content coding of the response, although the request asked for none.
    """

    total: int | None = None
    validators: Validators = _NO_VALIDATORS
    if_range: str | None = None
    coding: str | None = None

    @classmethod
    def from_fields(cls, fields: Mapping[str, str], total: int | None, *, now: int) -> Self:
        """Read the version from the fields of a response. `now` decides the century of a two-digit year."""
        etag = ETag.parse(fields.get("etag", ""))
        modified = parse_date(fields.get("last-modified", ""), now=now)
        date = parse_date(fields.get("date", "")[-_DATE_CHARACTERS:], now=now)
        validators, coding = Validators(etag, modified), content_coding(fields)
        if coding:
            return cls(None, validators, None, coding)
        return cls(total, validators, _strong_validator(validators, date, has_etag="etag" in fields))

    def strongly_matches(self, other: "RemoteVersion") -> bool:
        """Whether a strong validator guarantees that both versions have the same bytes."""
        return (
            self.if_range is not None and not other.coding and self._same_total(other) and self._same_validator(other)
        )

    def weakly_matches(self, other: "RemoteVersion") -> bool:
        """Whether a whole file of this version can replace the other, although their bytes must not be mixed.

        A weak ETag is enough for that (§8.8.3.2), and so is any date together with the size.
        """
        etag = self.validators.etag
        if other.coding or not self._same_total(other):
            return False
        return (
            etag.weakly_equals(other.validators.etag)
            if etag
            else self.total == other.total and self._same_validator(other)
        )

    def with_total(self, total: int | None) -> "RemoteVersion":
        """Return the version with this size, unless its size is known."""
        return self if self.total is not None else replace(self, total=total)

    def _same_total(self, other: "RemoteVersion") -> bool:
        return None in {self.total, other.total} or self.total == other.total

    def _same_validator(self, other: "RemoteVersion") -> bool:
        mine, others = self.validators, other.validators
        if mine.etag:
            return mine.etag.strongly_equals(others.etag)
        return mine.last_modified is not None and mine.last_modified == others.last_modified


UNKNOWN: Final = RemoteVersion()


def content_coding(fields: Mapping[str, str]) -> str | None:
    """Return the content coding of a response in lower case; None if the body is not coded."""
    coding = fields.get("content-encoding", "").strip(" \t").lower()
    return None if coding in {"", "identity"} else coding


def _strong_validator(validators: Validators, date: int | None, *, has_etag: bool) -> str | None:
    """Return what If-Range may carry (§13.1.5): no weak ETag, and a date only if there is no ETag at all."""
    if has_etag:
        return str(validators.etag) if validators.etag and not validators.etag.weak else None
    modified = validators.last_modified
    if modified is None or date is None or date - modified < _STRONG_AFTER_SECONDS:
        return None
    return format_date(modified)


def url_hash(url: str) -> str:
    """Return a hash that identifies a URL without its user name, password and fragment."""
    parts = urlsplit(url)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
    return hashlib.sha256(urlunsplit(bare).encode("utf-8", "surrogatepass")).hexdigest()
