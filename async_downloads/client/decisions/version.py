"""The version of a resource in a response, and whether two versions are the same: RFC 9110 §8.8.

The bytes of two responses may be combined only if both have the same strong validator. A strong validator is a strong
ETag or, if there is no ETag, a Last-Modified well before the server's Date, because a file may change twice in one
second. Many servers send a weak or malformed ETag. Then the ETag, such a date and the size must all be equal.
"""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from ...semantics.dates import format_date, known_date, parse_date
from ...semantics.etags import ETag
from ...semantics.representation import NO_VALIDATORS, Validators

__all__ = [
    "PAGE_TYPES", "UNKNOWN", "RemoteVersion", "came_before", "content_coding", "is_far_smaller", "is_page", "url_hash",
]  # fmt: skip


PAGE_TYPES: Final = frozenset({"text/html", "application/xhtml+xml"})  # of an HTML page
_MIN_SHARE: Final = 10
_DATE_CHARACTERS: Final = 29  # some servers send two dates in one field; the last one counts
_STRONG_AFTER_SECONDS: Final = 60  # from Last-Modified to Date, because the clocks of a server and its disk may differ


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """One version of a resource: its size in bytes if known, and the validators that distinguish it.

    `if_range` is the strong validator in the form for If-Range; None if there is none. `old_date` is the Last-Modified
    in the form for If-Unmodified-Since if it is well before the Date, otherwise None. `coding` is the content coding of
    the response, although the request asked for no coding. `is_html` says that the body is an HTML page.
    """

    total: int | None = None
    validators: Validators = NO_VALIDATORS
    if_range: str | None = None
    coding: str | None = None
    old_date: str | None = None
    is_html: bool = False

    @classmethod
    def from_fields(cls, fields: Mapping[str, str], total: int | None, *, now: int) -> Self:
        """Read the version from the fields of a response. `now` determines the century of a two-digit year."""
        modified = parse_date(fields.get("last-modified", ""), now=now)
        date = parse_date(fields.get("date", "")[-_DATE_CHARACTERS:], now=now)
        validators = Validators(_etag(fields), None if modified is None else known_date(modified))
        coding, is_html = content_coding(fields), is_page(fields)
        if coding:
            return cls(None, validators, None, coding, is_html=is_html)
        old_date = _old_date(validators, date)
        if_range = _strong_validator(validators, old_date, has_etag="etag" in fields)
        return cls(total, validators, if_range, old_date=old_date, is_html=is_html)

    @property
    def unmodified_since(self) -> str | None:
        """The value of If-Unmodified-Since; None if there is a strong validator, or if parts cannot be combined."""
        return self.old_date if self.if_range is None and self.validators.etag and self.total is not None else None

    @property
    def resumable(self) -> bool:
        """Whether parts of this version can be combined."""
        return self.if_range is not None or self.unmodified_since is not None

    def strongly_matches(self, other: "RemoteVersion") -> bool:
        """Return whether the validators guarantee that both versions have the same bytes."""
        if other.coding or not self._same_total(other):
            return False
        return (self.if_range is not None and self._same_validator(other)) or self._same_by_date(other)

    def weakly_matches(self, other: "RemoteVersion") -> bool:
        """Return whether a whole file of this version may replace the other, although their bytes must not be combined.

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

    def differs_only_in_etag(self, other: "RemoteVersion") -> bool:
        """Return whether size and date are the same: several servers with one name may each make their own ETags."""
        dates = {self.validators.last_modified, other.validators.last_modified}
        return not other.coding and self.total is not None and self.total == other.total and len(dates) == 1

    def is_copied_by(self, other: "RemoteVersion") -> bool:
        """Return whether the file of another server is the same: each server may make its ETags in its own way."""
        if self.total is None or self.total != other.total or other.coding:
            return False
        etag = self.validators.etag
        same_etag = etag is not None and etag.strongly_equals(other.validators.etag)
        return same_etag or (self.old_date is not None and self.old_date == other.old_date)

    def with_total(self, total: int | None) -> "RemoteVersion":
        """Return the version with this size, unless its size is known."""
        return self if self.total is not None else replace(self, total=total)

    def _same_total(self, other: "RemoteVersion") -> bool:
        return None in {self.total, other.total} or self.total == other.total

    def _same_by_date(self, other: "RemoteVersion") -> bool:
        """Return whether the tags are equal except for weakness, and the old date and the size are equal, too."""
        etag, dated = self.validators.etag, self.old_date or other.old_date
        return (
            etag is not None
            and etag.weakly_equals(other.validators.etag)
            and dated is not None
            and self.differs_only_in_etag(other)
        )

    def _same_validator(self, other: "RemoteVersion") -> bool:
        mine, others = self.validators, other.validators
        if mine.etag:
            return mine.etag.strongly_equals(others.etag)
        return mine.last_modified is not None and mine.last_modified == others.last_modified


UNKNOWN: Final = RemoteVersion()


def came_before(version: RemoteVersion, replaced: Iterable[RemoteVersion]) -> bool:
    """Return whether a replaced version is back with the same size. Then two servers share one name."""
    return (
        version.validators != NO_VALIDATORS
        and version.total is not None
        and any((each.validators, each.total) == (version.validators, version.total) for each in replaced)
    )


def is_far_smaller(length: int, versions: Iterable[RemoteVersion]) -> bool:
    """Return whether a body has less than a tenth of the bytes of a version: most likely, it is not the file."""
    return any(length * _MIN_SHARE < (each.total or 0) for each in versions)


def content_coding(fields: Mapping[str, str]) -> str | None:
    """Return the content coding of a response in lower case; None if the body is not coded."""
    coding = fields.get("content-encoding", "").strip(" \t").lower()
    return None if coding in {"", "identity"} else coding


def is_page(fields: Mapping[str, str]) -> bool:
    """Return whether a body is an HTML page, which may be a login page or an error page."""
    return fields.get("content-type", "").partition(";")[0].strip(" \t").lower() in PAGE_TYPES


def _etag(fields: Mapping[str, str]) -> ETag | None:
    """Return the ETag. An ETag without quotes counts as weak, because a server may not recognize it in If-Range."""
    text = fields.get("etag", "")
    with suppress(ValueError):
        return ETag.parse(text) or (ETag(text, weak=True) if text else None)
    return None


def _strong_validator(validators: Validators, old_date: str | None, *, has_etag: bool) -> str | None:
    """Return the validator for If-Range (§13.1.5): a strong ETag, or a date if there is no ETag at all."""
    if has_etag:
        return str(validators.etag) if validators.etag and not validators.etag.weak else None
    return old_date


def _old_date(validators: Validators, date: int | None) -> str | None:
    modified = validators.last_modified
    if modified is None or date is None or date - modified < _STRONG_AFTER_SECONDS:
        return None
    return format_date(modified)


def url_hash(url: str) -> str:
    """Return a hash that identifies a URL without its user name, password and fragment."""
    parts = urlsplit(url)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
    return hashlib.sha256(urlunsplit(bare).encode("utf-8", "surrogatepass")).hexdigest()
