"""Entity tags: RFC 9110 §8.8.3 and the lists of them in §13.1.1 and §13.1.2."""

import re
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, Self

__all__ = ["ANY", "ETag", "ETags", "any_match", "parse_etags"]


ANY: Final = "*"
_OPAQUE = re.compile(r"[\x21\x23-\x7e\x80-\xff]*")
_TAG = re.compile(r'(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*+)"')
# Possessive quantifiers, so that a run of spaces takes linear time. A comma inside the quotes belongs to the tag.
# Anything else ends at the next comma.
_MEMBER = re.compile(rf"[ \t]*+(?:{_TAG.pattern}[ \t]*+(?=,|\Z)|[^,]*+),?+")
_MAX_MEMBERS: Final = 256  # of a list; a cache that revalidates several versions sends fewer


@dataclass(frozen=True, slots=True)
class ETag:
    """One entity tag (RFC 9110 §8.8.3). `opaque` is its text without quotes.

    Raises ValueError if `opaque` has a character that the field cannot have, such as a quote.

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
        """Read one entity tag; return None for anything else, such as a word without quotes."""
        found = _TAG.fullmatch(value)
        return cls(found["opaque"], found["weak"] is not None) if found else None

    def strongly_equals(self, other: "ETag | None") -> bool:
        """Return whether both tags are equal and neither is weak: the bytes are the same (§8.8.3.2)."""
        return self == other and not self.weak

    def weakly_equals(self, other: "ETag | None") -> bool:
        """Return whether both tags are equal except for weakness: the meaning is the same (§8.8.3.2)."""
        return other is not None and self.opaque == other.opaque

    def __str__(self) -> str:
        return f'{"W/" if self.weak else ""}"{self.opaque}"'


ETags = tuple[ETag, ...] | Literal["*"]


def parse_etags(value: str) -> ETags:
    """Read If-Match or If-None-Match: return `ANY`, or the tags among the first 256 members of the list.

    A member that is not a tag is ignored, and so is an empty one (§5.6.1.2). A value without any tag gives (), which
    matches nothing: a malformed If-Match must not let the request through.

    >>> [str(tag) for tag in parse_etags('"a", b, W/"c"')]
    ['"a"', 'W/"c"']
    """
    if value.strip(" \t") == ANY:
        return ANY
    members = islice(_MEMBER.finditer(value), _MAX_MEMBERS)
    return tuple(ETag(found["opaque"], found["weak"] is not None) for found in members if found["opaque"] is not None)


def any_match(wanted: ETags, current: ETag | None, *, strong: bool) -> bool:
    """Return whether the current tag is one of the `wanted` ones. `ANY` also matches if there is no current tag."""
    if wanted == ANY:
        return True
    if current is None:
        return False
    equals = current.strongly_equals if strong else current.weakly_equals
    return any(equals(tag) for tag in wanted)
