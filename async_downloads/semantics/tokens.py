"""Tokens, such as methods, names of fields and names of parameters (RFC 9110 §5.6.2), for regular expressions."""

from typing import Final

__all__ = ["TOKEN", "TOKEN_CHARACTERS"]


TOKEN_CHARACTERS: Final = r"!#$%&'*+\-.^_`|~0-9A-Za-z"  # noqa: S105 - no secret; they stand between brackets
TOKEN: Final = f"[{TOKEN_CHARACTERS}]+"
