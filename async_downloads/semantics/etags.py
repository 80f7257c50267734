"""Entity tags: RFC 9110 §8.8.3 and the lists of them in §13.1.1 and §13.1.2."""

import re
from dataclasses import dataclass
from typing import Final, Literal, Self

__all__ = ["ANY", "ETag", "ETags", "any_match", "parse_etags"]


ANY: Final = "*"
_OPAQUE = re.compile(r"[\x21\x23-\x7e\x80-\xff]*")
_TAG = re.compile(r'(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*)"')
# Possessive, so that a run of spaces is looked at once. A comma inside the quotes belongs to the tag.
_ELEMENT = re.compile(rf"[ \t]*+(?:{_TAG.pattern})?+[ \t]*+(?P<end>,|\Z)")


@dataclass(frozen=True, slots=True)
class ETag:
    """One entity tag. ValueError when `opaque` holds what no field can carry, a quote or a space among them.

    >>> str(ETag("v1")), str(ETag("v1", weak=True))
    ('"v1"', 'W/"v1"')
    """

    opaque: str
    weak: bool = False

    def __post_init__(self) -> None:
        if not _OPAQUE.fullmatch(self.opaque):
            raise ValueError(f"not the opaque part of an entity tag: {self.opaque!r}")

    @classmethod
    def parse(cls, value: str) -> Self | None:
        """Read one entity tag; None for anything else, an unquoted word included."""
        found = _TAG.fullmatch(value)
        return cls(found["opaque"], found["weak"] is not None) if found else None

    def strongly_equals(self, other: "ETag | None") -> bool:
        """Promise the same bytes: equal, and neither is weak (§8.8.3.2)."""
        return self == other and not self.weak

    def weakly_equals(self, other: "ETag | None") -> bool:
        """Promise the same meaning: equal but for weakness (§8.8.3.2)."""
        return other is not None and self.opaque == other.opaque

    def __str__(self) -> str:
        return f'{"W/" if self.weak else ""}"{self.opaque}"'


ETags = tuple[ETag, ...] | Literal["*"]


def parse_etags(value: str) -> ETags | None:
    """Read the value of If-Match or If-None-Match: `ANY` or the tags; None when it is neither.

    Empty elements are skipped (§5.6.1.2), but a list needs one tag at least.
    """
    if value.strip(" \t") == ANY:
        return ANY
    tags, at = [], 0
    while found := _ELEMENT.match(value, at):
        if found["opaque"] is not None:
            tags.append(ETag(found["opaque"], found["weak"] is not None))
        if not found["end"]:
            return tuple(tags) or None
        at = found.end()
    return None


def any_match(wanted: ETags, current: ETag | None, *, strong: bool) -> bool:
    """Whether the current representation is among those that are `wanted`; `ANY` is whatever there is."""
    if wanted == ANY:
        return True
    if current is None:
        return False
    equals = current.strongly_equals if strong else current.weakly_equals
    return any(equals(tag) for tag in wanted)
