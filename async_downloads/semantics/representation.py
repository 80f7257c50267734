"""The descriptions of a representation (RFC 9110 §8) and of a request for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from .etags import ETag

__all__ = ["NO_VALIDATORS", "Field", "Representation", "RequestHead", "Validators"]


Field = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Validators:
    """The ETag and the date, which distinguish the versions of a representation (§8.8). Each may be None.

    `last_modified` is in seconds since 1970. The hash is computed once, as in `Representation`.
    """

    etag: ETag | None = None
    last_modified: int | None = None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.etag, self.last_modified)))

    def __hash__(self) -> int:
        return self._hash

    def at(self, now: int) -> "Validators":
        """Return the validators to send at `now`: no date is later than that (§8.8.2.1), or before 1970."""
        if self.last_modified is None or 0 <= self.last_modified <= now:
            return self
        return Validators(self.etag, min(max(self.last_modified, 0), now))


NO_VALIDATORS: Final = Validators()


@dataclass(frozen=True, slots=True)
class Representation:
    """The description of one version of a file (RFC 9110 §8).

    - `size`: its length in bytes, with any content coding applied; None if it is unknown until the end.
    - `media_type`, `language`: the values of Content-Type and Content-Language.
    - `coding`: the content coding of the bytes, such as "gzip"; None if there is none.
    - `validators`: the ETag and the date.
    - `filename`: the name under which clients save it; None if it has no name.
    - `ranges`: False if only the whole can be read.
    - `negotiated`: True if Accept-Encoding influenced the choice, so that Vary must name it.
    - `digest`: the SHA-256 digest of the bytes (32 bytes), with the coding applied; None if it is unknown.
    - `cache_control`: the Cache-Control that was stored with the bytes. It replaces that of a policy.

    The hash is computed once, because a representation is a part of the key of every cached plan.
    """

    size: int | None
    media_type: str = "application/octet-stream"
    coding: str | None = None
    validators: Validators = NO_VALIDATORS
    filename: str | None = None
    ranges: bool = True
    negotiated: bool = False
    digest: bytes | None = None
    language: str | None = None
    cache_control: str | None = None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        described = self.size, self.media_type, self.coding, self.validators, self.filename
        stored = self.language, self.cache_control
        object.__setattr__(self, "_hash", hash((*described, self.ranges, self.negotiated, self.digest, *stored)))

    def __hash__(self) -> int:
        return self._hash


class RequestHead(NamedTuple):
    """The parts of a request that matter for a download.

    The names in `fields` are in lower case; each value has all lines of the field, joined by commas (§5.3). `now` is
    the time when the request arrived, in seconds since 1970.
    """

    method: str
    now: int
    fields: Mapping[str, str] = MappingProxyType({})
