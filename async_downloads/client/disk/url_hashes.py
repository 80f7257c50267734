"""The hashes of a URL. A journal has them in place of the URL, which may contain secrets."""

import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ..decisions.version import url_hash

__all__ = ["UrlHashes"]


# The parameters of a signed URL at storage services and content delivery networks. They differ in each signed URL.
_SIGNATURE_NAME: Final = re.compile(
    r"(?:x-(?:amz|goog|oss|cos|obs|tos|ms)-.*|.*(?:sig|sign|signature|token|expire|expires|expiry|expiration)"
    r"|awsaccesskeyid|googleaccessid|ossaccesskeyid|policy|key-pair-id|hdnts|hdnea|__gda__|hmac|hash|auth|authkey|auth_key"
    r"|jwt|ticket|nonce|verify|ts|time|timestamp|exp|session|sessionid|st|se|sp|sv|sr|spr|sip|srt|ss|skoid|sktid|skt|ske"
    r"|sks|skv|rscd|rsct|e|h|s|t|md5|validfrom|validto|ttl|q-.*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class UrlHashes:
    """`url` is the hash of the whole URL, `unsigned` the hash of the URL without the parameters of a signature."""

    url: str
    unsigned: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Hash a URL without its user name, password and fragment."""
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape")
        kept = urlencode([pair for pair in pairs if not _SIGNATURE_NAME.fullmatch(pair[0])], errors="surrogateescape")
        unsigned = urlunsplit(parts._replace(query=kept))
        return cls(url_hash(url), url_hash(unsigned))
