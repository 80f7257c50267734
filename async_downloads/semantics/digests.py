"""Digest fields: RFC 9530."""

from base64 import b64encode

__all__ = ["repr_digest"]


def repr_digest(sha256: bytes) -> str:
    """Write the Repr-Digest of a representation with that SHA-256.

    >>> repr_digest(bytes(32))
    'sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:'
    """
    return f"sha-256=:{b64encode(sha256).decode('ascii')}:"
