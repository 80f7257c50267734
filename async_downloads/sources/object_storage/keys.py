"""The keys that obstore can ask for."""

import re
from typing import Final

__all__ = ["is_usable_key"]


# Control characters, a backslash, and the segments "", "." and "..".
_UNUSABLE: Final = re.compile(r"[\0-\x1f\x7f\\\ud800-\udfff]|(?:^|/)\.{0,2}(?:/|\Z)")


def is_usable_key(key: str) -> bool:
    """Return whether obstore asks for exactly this key. It refuses `a//b`, and it asks for `a` in place of `/a`."""
    return not _UNUSABLE.search(key)
