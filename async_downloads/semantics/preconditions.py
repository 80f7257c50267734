"""Conditional requests: RFC 9110 §13."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self

from .dates import parse_date
from .etags import ETag, ETags, any_match, parse_etags
from .representation import Validators

__all__ = ["SAFE_METHODS", "Outcome", "Preconditions", "if_range_holds"]


SAFE_METHODS = frozenset({"GET", "HEAD"})


class Outcome(Enum):
    """The result of evaluating the preconditions of a request."""

    PROCEED = auto()
    NOT_MODIFIED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The conditional fields of a request.

    An invalid date counts as absent (§13.1.3). A list without a valid tag matches nothing.
    """

    if_match: ETags | None = None
    if_unmodified_since: int | None = None
    if_none_match: ETags | None = None
    if_modified_since: int | None = None

    @classmethod
    def parse(cls, fields: Mapping[str, str], *, now: int) -> Self:
        """Read the conditional fields. A list of dates, or a date like 30 February, is invalid."""

        def tags(name: str) -> ETags | None:
            return parse_etags(fields[name]) if name in fields else None

        def date(name: str) -> int | None:
            return parse_date(fields[name], now=now) if name in fields else None

        return cls(
            if_match=tags("if-match"),
            if_unmodified_since=date("if-unmodified-since"),
            if_none_match=tags("if-none-match"),
            if_modified_since=date("if-modified-since"),
        )

    def evaluate(self, method: str, current: Validators) -> Outcome:
        """Evaluate the conditions for the current representation, in the order of §13.2.2."""
        if not self._may_proceed(current):
            return Outcome.FAILED
        if self._is_modified(method, current):
            return Outcome.PROCEED
        return Outcome.NOT_MODIFIED if method in SAFE_METHODS else Outcome.FAILED

    def _may_proceed(self, current: Validators) -> bool:
        """Steps 1 and 2: If-Match; if it is absent, If-Unmodified-Since."""
        if self.if_match is not None:
            return any_match(self.if_match, current.etag, strong=True)
        if self.if_unmodified_since is not None and current.last_modified is not None:
            return current.last_modified <= self.if_unmodified_since
        return True

    def _is_modified(self, method: str, current: Validators) -> bool:
        """Steps 3 and 4: If-None-Match; if it is absent, If-Modified-Since, which is for GET and HEAD only."""
        if self.if_none_match is not None:
            return not any_match(self.if_none_match, current.etag, strong=False)
        if self.if_modified_since is None or current.last_modified is None or method not in SAFE_METHODS:
            return True
        return current.last_modified > self.if_modified_since


def if_range_holds(value: str, current: Validators, *, now: int) -> bool:
    """Return whether the client's bytes certainly belong to the current representation (§13.1.5).

    A date must equal the current one, and the current one must be strong (§8.8.2.2): a representation that changed
    within this second may change again without a new date. A weak tag says that the file system cannot tell versions
    apart, so the date beside it cannot either.
    """
    if tag := ETag.parse(value):
        return tag.strongly_equals(current.etag)
    weak = current.etag is not None and current.etag.weak
    strong = not weak and current.last_modified is not None and current.last_modified < now
    return strong and parse_date(value, now=now) == current.last_modified
