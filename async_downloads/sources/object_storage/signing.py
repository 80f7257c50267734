"""A URL of one object that needs no other credentials until it expires."""

import time
from datetime import timedelta
from typing import Final

import obstore

from ...semantics.disposition import content_disposition
from ..object_urls import REMOTE, check_object_url
from .connecting import store_at
from .environment import check_environment
from .errors import map_object_errors
from .s3_signing import S3Signer

__all__ = ["sign_object"]


_MOST_SECONDS: Final = 604_800  # seven days: the limit of every store


def sign_object(url: str, *, expires: timedelta, name: str | None = None) -> str:
    """Return a URL that downloads the object `s3://bucket/key`, `gs://…` or `az://…` without other credentials.

    The URL is valid for `expires`. Browsers save the file as `name`, which only S3 supports. This function does not
    check that the object exists. Raises ValueError, with one line that says what to do, if the URL cannot be signed,
    and DownloadError if there are no usable credentials.
    """
    check_object_url(url)
    scheme, _, place = url.partition("://")
    bucket, _, key = place.partition("/")
    if scheme not in REMOTE or not key:
        raise ValueError(f"{url!r} names no object of a bucket: expected s3://bucket/key")
    if not timedelta(seconds=1) <= expires <= timedelta(seconds=_MOST_SECONDS):
        raise ValueError("a URL of a bucket is valid for one second at least and for seven days at most")
    check_environment(scheme)
    if signer := S3Signer.from_environment(f"{scheme}://{bucket}"):
        parameters = {"response-content-disposition": content_disposition("attachment", name)} if name else {}
        return signer.sign("GET", key, now=time.time(), seconds=int(expires.total_seconds()), parameters=parameters)
    if scheme == "s3":
        raise ValueError("a URL of S3 needs the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    if name:
        raise ValueError("the name of the file can be chosen for s3:// only")
    with map_object_errors():
        return obstore.sign(store_at(f"{scheme}://{bucket}"), "GET", key, expires)
