"""The rules for the names of fields that hold in both directions (RFC 9113 §8.2)."""

import re
from typing import Final

__all__ = ["HTTP1_ONLY", "LOWER_NAME"]


LOWER_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
# Fields about one connection, which HTTP/2 describes with frames (§8.2.2).
HTTP1_ONLY: Final = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
