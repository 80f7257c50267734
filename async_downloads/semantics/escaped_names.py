"""Names of parameters in a query, in which any character may be percent-encoded (RFC 3986 §2.1)."""

__all__ = ["pattern_of"]


def pattern_of(name: str) -> str:
    """Return a regular expression for a name of ASCII letters in each of its spellings, for use with `re.IGNORECASE`.

    >>> pattern_of("id")
    '(?:i|%69|%49)(?:d|%64|%44)'
    """
    return "".join(f"(?:{each}|%{ord(each):02x}|%{ord(each.upper()):02x})" for each in name)
