"""Describe an object from the fields that its store sends."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from ...semantics.dates import known_date
from ...semantics.etags import ETag
from ...semantics.representation import Representation, Validators
from ...semantics.suggested_name import suggested_filename
from ..media_types import media_type
from .upstream import Received

__all__ = ["describe", "etag_of"]


_UNKNOWN_TYPES: Final = {"", "binary/octet-stream", "application/octet-stream"}
_DIGEST_BYTES: Final = 32


def describe(key: str, received: Received, *, ranges: bool) -> Representation:
    """Return the description. `ranges` is False if the store ignores ranges.

    The ETag is that of the store, so it is the same on every replica.
    """
    fields = {name: text for name, text in received.attributes.items() if text.isascii() and text.isprintable()}
    name = key.rpartition("/")[2]
    return Representation(
        size=received.meta["size"],
        media_type=_media_type(fields, name),
        coding=_coding(fields),
        validators=Validators(etag_of(received.etag), known_date(int(received.meta["last_modified"].timestamp()))),
        filename=suggested_filename(fields.get("Content-Disposition", "")) or name,
        ranges=ranges and bool(received.version or received.etag),
        digest=_digest(fields),
        language=fields.get("Content-Language") or None,
        cache_control=fields.get("Cache-Control") or None,
    )


def etag_of(text: str | None) -> ETag | None:
    """Return the strong ETag in a text. Azure and old local stores leave out its quotes."""
    if not text or text.startswith("W/"):
        return None
    with suppress(ValueError):
        return ETag.parse(text) or ETag(text)
    return None


def _coding(fields: Mapping[str, str]) -> str | None:
    """Return the content coding of the object, without `aws-chunked`, which some stores keep from the upload."""
    codings = (each.strip() for each in fields.get("Content-Encoding", "").split(","))
    return ", ".join(each for each in codings if each and each.lower() != "aws-chunked") or None


def _media_type(fields: Mapping[str, str], name: str) -> str:
    """Return the type of the object; if the upload gave none, the type for the extension of the name."""
    stored = fields.get("Content-Type", "")
    return media_type(name) if stored.lower() in _UNKNOWN_TYPES else stored


def _digest(fields: Mapping[str, str]) -> bytes | None:
    """Return the SHA-256 digest that `async-downloads put` has stored with the object."""
    with suppress(ValueError):
        digest = bytes.fromhex(fields.get("sha256", ""))
        return digest if len(digest) == _DIGEST_BYTES else None
    return None
