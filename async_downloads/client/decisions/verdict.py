"""The values that describe a request, the head of its response, and the verdict on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ...errors import BadStatus, FetchError
from ...semantics.ranges import ByteRange
from .retries import TransientError
from .version import UNKNOWN, RemoteVersion

__all__ = [
    "ErrorStatus",
    "Full",
    "NothingLeft",
    "Partial",
    "RangeRequest",
    "ResponseHead",
    "UnusableRange",
    "Verdict",
    "VersionChanged",
]


_BAD_GATEWAY: Final = 502


class RangeRequest(NamedTuple):
    """A request for the bytes from `start` to before `stop` (None: to the end), or for the whole file if not `ranged`.

    `if_range` is the strong validator for If-Range. If there is none, `unmodified_since` may be the date for
    If-Unmodified-Since.
    """

    start: int = 0
    stop: int | None = None
    ranged: bool = False
    if_range: str | None = None
    unmodified_since: str | None = None

    @classmethod
    def for_part(cls, version: RemoteVersion | None, start: int, stop: int | None = None) -> "RangeRequest":
        """Request a part of this version; None if no version is known, at the first request."""
        version = version or UNKNOWN
        return cls(start, stop, ranged=True, if_range=version.if_range, unmodified_since=version.unmodified_since)

    @property
    def fields(self) -> dict[str, str]:
        """The header fields of the request."""
        if not self.ranged:
            return {}
        last = "" if self.stop is None else self.stop - 1
        conditions = {"If-Range": self.if_range, "If-Unmodified-Since": self.unmodified_since}
        sent = {name: value for name, value in conditions.items() if value is not None}
        return {"Range": f"bytes={self.start}-{last}", **sent}


class ResponseHead(NamedTuple):
    """The status and fields of a response, received at `now` in seconds since the epoch.

    `fields` is looked up by names in lower case. `url` is the URL that sent the response, after redirects.
    """

    status: int
    fields: Mapping[str, str]
    now: int
    url: str = ""


@dataclass(frozen=True, slots=True)
class Full:
    """The body is the whole version from byte 0. `length` is its size in bytes; None if the server does not say."""

    version: RemoteVersion
    length: int | None


@dataclass(frozen=True, slots=True)
class Partial:
    """The body is the half-open `span` of the version. It starts where requested; it may end earlier or later."""

    version: RemoteVersion
    span: ByteRange

    @property
    def length(self) -> int:
        """The number of bytes in the body."""
        return len(self.span)


@dataclass(frozen=True, slots=True)
class NothingLeft:
    """The version ends just before the first requested byte."""

    version: RemoteVersion


@dataclass(frozen=True, slots=True)
class VersionChanged:
    """The server has another version now."""

    version: RemoteVersion


@dataclass(frozen=True, slots=True)
class UnusableRange:
    """The response to a range request cannot be used: `reason` says why. With `final`, other ranges would not help."""

    reason: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class ErrorStatus:
    """The response is an error. The server asks to wait `retry_after` seconds; None if it does not ask.

    `pending` says that the server accepted the request and prepares the response. `refuses_fields` says that the
    same request may succeed without Range and other unusual fields.
    """

    error: FetchError
    retryable: bool = False
    retry_after: float | None = None
    pending: bool = False
    refuses_fields: bool = False

    @property
    def exception(self) -> FetchError | TransientError:
        """The exception to raise: TransientError if the request may be retried."""
        if not self.retryable:
            return self.error
        crashed = isinstance(self.error, BadStatus) and self.error.code == _BAD_GATEWAY
        return TransientError(self.error, self.retry_after, pending=self.pending, crashed=crashed)


Verdict = Full | Partial | NothingLeft | VersionChanged | UnusableRange | ErrorStatus
