"""What is known of a selected representation: RFC 9110 §8, and of a request for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from .etags import ETag

__all__ = ["Field", "Representation", "RequestHead", "Validators"]


Field = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one version of a representation from another (§8.8).

    `last_modified` is in seconds since the epoch.
    """

    etag: ETag | None = None
    last_modified: int | None = None

    def at(self, now: int) -> "Validators":
        """Return the validators as they may be told at `now`: no date lies in the future (§8.8.2.1), or before 1970."""
        if self.last_modified is None or 0 <= self.last_modified <= now:
            return self
        return Validators(self.etag, min(max(self.last_modified, 0), now))


@dataclass(frozen=True, slots=True)
class Representation:
    """One version of a file, described without its bytes.

    `size` counts the bytes that travel, after any content coding; None when only the end will tell.
    `coding` is the content coding they are in. `negotiated` says that Accept-Encoding had a part in the choice.
    `ranges` is False when only the whole can be read. `digest` is the SHA-256 of the bytes that travel.
    """

    size: int | None
    media_type: str = "application/octet-stream"
    coding: str | None = None
    validators: Validators = Validators()
    filename: str | None = None
    ranges: bool = True
    negotiated: bool = False
    digest: bytes | None = None


class RequestHead(NamedTuple):
    """What of a request matters for a download.

    The names in `fields` are in lower case and each value is all of the field's lines, joined by commas (§5.3).
    `now` is when it came, in seconds since the epoch.
    """

    method: str
    now: int
    fields: Mapping[str, str] = MappingProxyType({})
