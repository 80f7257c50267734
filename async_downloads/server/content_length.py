"""Content-Length (RFC 9110 §8.6): its largest value, what the app states, and whether its body has that length."""

import re
from typing import Final

__all__ = ["LENGTH_DIGITS", "bytes_left", "short_body", "stated_length"]


LENGTH_DIGITS: Final = 18  # no body is longer, and Python refuses to read thousands of digits
_LENGTH: Final = re.compile(rb"[0-9]{1,%d}" % LENGTH_DIGITS)


def stated_length(value: bytes, before: int | None) -> int:
    """Return the number in a Content-Length; `before` is that of an earlier Content-Length.

    Raises ValueError if it is no number or another one: clients and proxies would read different bodies (RFC 9112
    §6.3).
    """
    digits = value.strip(b" \t")
    if not _LENGTH.fullmatch(digits) or before not in {None, int(digits)}:
        raise ValueError(f"not the one Content-Length: {value[:40]!r}")
    return int(digits)


def bytes_left(left: int | None, size: int) -> int | None:
    """Return how many bytes of a body are missing after `size` more; None if no length is stated.

    Raises RuntimeError if the body becomes longer than its Content-Length.
    """
    if left is None:
        return None
    if size > left:
        raise RuntimeError("the body is longer than the Content-Length")
    return left - size


def short_body(left: int) -> RuntimeError:
    """Return the error for a body that ends although `left` bytes of it are missing."""
    return RuntimeError(f"the body is {left} bytes shorter than the Content-Length")
