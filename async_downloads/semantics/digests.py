"""Digest fields (RFC 9530): dictionaries of byte sequences (RFC 8941 §3.2, §3.3.5)."""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final

__all__ = ["WANTED", "parse_digest", "repr_digest", "wants_sha256"]


# The value of Want-Repr-Digest: both algorithms that `parse_digest` reads. It prefers SHA-256, which is faster.
WANTED: Final = "sha-512=3, sha-256=10"
_LETTERS: Final = {"sha-256": 43, "sha-512": 86}  # of base64, without the padding
_BYTES = r":(?P<bytes>[A-Za-z0-9+/]*+)={0,2}:"
_STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*+"'
_NUMBER = r"-?[0-9]++(?:\.[0-9]++)?"
_WORD = r"[A-Za-z*][!#$%&'*+.^_`|~:/0-9A-Za-z-]*+"
_KEY = r"[a-z*][a-z0-9_.*-]*+"
_OTHER = rf"{_STRING}|{_NUMBER}|{_WORD}|\?[01]"
_PARAMETERS = rf"(?:;[ ]*+{_KEY}(?:=(?::[A-Za-z0-9+/=]*+:|{_OTHER}))?+)*+"
_MEMBER = re.compile(rf"(?P<key>{_KEY})(?:=(?:{_BYTES}|{_OTHER}))?+{_PARAMETERS}[ \t]*+(?P<end>,[ \t]*+(?=.)|\Z)")
_WANTS_SHA256 = re.compile(r"(?:^|,)[ \t]*sha-256=(?:[1-9]|10)[ \t]*(?:[,;]|$)")


def repr_digest(sha256: bytes) -> str:
    """Write the Repr-Digest of a representation with this SHA-256 digest of 32 bytes.

    >>> repr_digest(bytes(32))
    'sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:'
    """
    return f"sha-256=:{b64encode(sha256).decode('ascii')}:"


def wants_sha256(value: str) -> bool:
    """Return whether Want-Repr-Digest asks for a SHA-256 digest (§4): a preference of 0 means that it is not wanted.

    >>> wants_sha256("sha-512=3, sha-256=10"), wants_sha256("sha-256=0, sha-512=3"), wants_sha256("sha-256")
    (True, False, False)
    """
    return _WANTS_SHA256.search(value) is not None


def parse_digest(value: str) -> Mapping[str, bytes]:
    """Read the `sha-256` and `sha-512` digests of a Repr-Digest or Content-Digest; return {} if it is malformed.

    Other algorithms are ignored, because they are not secure (RFC 9530 §5), and so are digests of a wrong length.

    >>> digests = parse_digest("crc32c=:AAAAAA==:, sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:")
    >>> {algorithm: digest.hex()[:8] for algorithm, digest in digests.items()}
    {'sha-256': '44aff4ab'}
    """
    digests: dict[str, bytes] = {}
    at, text = 0, value.strip(" ")
    while found := _MEMBER.match(text, at):
        key, letters = found["key"], found["bytes"] or ""
        digests.pop(key, None)  # if a key occurs twice, the last one counts
        if len(letters) == _LETTERS.get(key):
            digests[key] = b64decode(letters + "=" * (-len(letters) % 4))
        if not found["end"]:
            return digests
        at = found.end()
    return {}
