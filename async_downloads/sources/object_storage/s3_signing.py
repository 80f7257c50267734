"""URLs of S3 objects that need no other credentials: the query is signed with AWS Signature Version 4.

obstore can sign URLs too, but it can neither set the file name nor round the date. Each of its URLs would be different,
so a browser could not use its cache.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self
from urllib.parse import quote, unquote, urlsplit

from .environment import endpoint

__all__ = ["S3Signer"]


_UNRESERVED: Final = "-_.~"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class S3Signer:
    """Signs URLs of one bucket.

    `base` is the URL of the bucket, and `prefix` begins all keys; neither ends with a slash. `key_id`, `secret` and
    `token` are the access key: its id, its secret, and the session token of a temporary one.
    """

    base: str
    prefix: str
    key_id: str
    secret: str = field(repr=False)
    region: str = "us-east-1"
    token: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, url: str) -> Self | None:
        """Return the signer for `s3://bucket/prefix`; None if the URL or the environment has no key for S3."""
        parts = urlsplit(url)
        key_id, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
        if parts.scheme != "s3" or not key_id or not secret:
            return None
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        token = os.environ.get("AWS_SESSION_TOKEN")
        return cls(_bucket_url(parts.netloc, region), unquote(parts.path).strip("/"), key_id, secret, region, token)

    def sign(
        self, method: str, key: str, *, now: float, seconds: int, window: int = 0, parameters: Mapping[str, str] = {}
    ) -> str:
        """Return a URL for one method that is valid for at least `seconds`.

        Its date is `now`, in seconds since 1970, rounded down to a multiple of `window` seconds. So within a window all
        URLs for a key are equal, on every server with the same credentials. The window is added to the validity.
        """
        path = "".join(f"/{part}" for part in (self.prefix, key) if part) if key else ""
        return self._signed(method, path, _time(now, window), seconds + window, parameters)

    def _signed(self, method: str, path: str, time: str, seconds: int, parameters: Mapping[str, str]) -> str:
        base = urlsplit(self.base)
        path = quote(f"{base.path}{path}" or "/", safe=f"/{_UNRESERVED}")
        scope = f"{time[:8]}/{self.region}/s3/aws4_request"
        query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self.key_id}/{scope}",
            "X-Amz-Date": time,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": "host",
            **({"X-Amz-Security-Token": self.token} if self.token else {}),
            **parameters,
        }
        text = "&".join(f"{_encoded(name)}={_encoded(query[name])}" for name in sorted(query))
        request = "\n".join((method, path, text, f"host:{base.netloc}", "", "host", "UNSIGNED-PAYLOAD"))
        signature = self._signature(scope, "\n".join((_ALGORITHM, time, scope, _sha256(request))))
        return f"{base.scheme}://{base.netloc}{path}?{text}&X-Amz-Signature={signature}"

    def _signature(self, scope: str, text: str) -> str:
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()


def _bucket_url(bucket: str, region: str) -> str:
    """Return the URL of a bucket: below the endpoint that the environment names, or the bucket's own host at AWS."""
    found = endpoint("s3")
    if not found and "." in bucket:  # the certificate covers one label only
        found = f"https://s3.{region}.amazonaws.com"
    return f"{found.rstrip('/')}/{bucket}" if found else f"https://{bucket}.s3.{region}.amazonaws.com"


def _time(now: float, window: int) -> str:
    moment = now - now % window if window else now
    return f"{datetime.fromtimestamp(moment, UTC):%Y%m%dT%H%M%SZ}"


def _encoded(text: str) -> str:
    return quote(text, safe=_UNRESERVED)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
