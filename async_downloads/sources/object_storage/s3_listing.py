"""List a bucket, or a folder of one, that has keys which obstore refuses, such as `a//b`.

obstore then lists no key at all. So this module sends the request (ListObjectsV2) with a signed URL. It uses a thread,
because few buckets need it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from itertools import islice
from typing import Final
from urllib.error import HTTPError
from urllib.parse import unquote_plus
from urllib.request import urlopen
from xml.etree import ElementTree as ET

from ...errors import Forbidden, SourceBusy, SourceError
from .found import Found, FoundObject
from .s3_signing import S3Signer

__all__ = ["list_all_in_thread", "list_in_thread"]


_SECONDS: Final = 30.0
_BUSY: Final = {429, 503}
_DENIED: Final = {401, 403}
_MAX_PAGES: Final = 200  # of 1,000 keys each


def list_in_thread(signer: S3Signer, prefix: str) -> Found:
    """Return the objects and prefixes directly below a prefix, from the first 200,000 keys. Raises DownloadError."""
    objects: list[FoundObject] = []
    prefixes: list[str] = []
    for page, names in islice(_pages(signer, prefix, delimiter="/"), _MAX_PAGES):
        objects += _objects(page, names)
        prefixes += [names.read(each, "Prefix") for each in page.iterfind("{*}CommonPrefixes")]
    return Found(objects, prefixes)


def list_all_in_thread(signer: S3Signer) -> list[FoundObject]:
    """Return all objects below the prefix of the signer. Raises DownloadError."""
    return [each for page, names in _pages(signer, "") for each in _objects(page, names)]


def _pages(signer: S3Signer, prefix: str, **parameters: str) -> Iterator[tuple[ET.Element, "_Names"]]:
    """Yield the pages of a listing, each with the reader of its names."""
    folder = "/".join(filter(None, (signer.prefix, prefix)))
    parameters |= {"list-type": "2", "encoding-type": "url", "prefix": f"{folder}/" if folder else ""}
    while True:
        page = _page(signer.sign("GET", "", now=time.time(), seconds=int(_SECONDS), parameters=parameters))
        yield page, _Names(signer.prefix, is_encoded=page.findtext("{*}EncodingType") == "url")
        following = page.findtext("{*}NextContinuationToken")
        if not following:
            return
        parameters["continuation-token"] = following


def _page(url: str) -> ET.Element:
    try:
        with urlopen(url, timeout=_SECONDS) as response:  # noqa: S310 - the operator chose the store
            return ET.fromstring(response.read())  # noqa: S314 - and trusts it
    except HTTPError as error:
        kind = SourceBusy if error.code in _BUSY else Forbidden if error.code in _DENIED else SourceError
        raise kind(f"the bucket cannot be listed: {error}") from error
    except (OSError, HTTPException, ET.ParseError) as error:
        raise SourceError(f"the bucket cannot be listed: {error}") from error


@dataclass(frozen=True, slots=True)
class _Names:
    """Reads the names of a page below a prefix. They are encoded as in URLs, because XML cannot have all characters."""

    prefix: str
    is_encoded: bool

    def read(self, element: ET.Element, tag: str) -> str:
        text = element.findtext(f"{{*}}{tag}", "")
        name = unquote_plus(text) if self.is_encoded else text
        return (name.removeprefix(f"{self.prefix}/") if self.prefix else name).removesuffix("/")


def _objects(page: ET.Element, names: _Names) -> list[FoundObject]:
    try:
        return [_object(each, names) for each in page.iterfind("{*}Contents")]
    except ValueError as error:
        raise SourceError(f"the bucket cannot be listed: {error}") from error


def _object(element: ET.Element, names: _Names) -> FoundObject:
    date = datetime.fromisoformat(element.findtext("{*}LastModified", "1970-01-01T00:00:00Z"))
    size, etag = int(element.findtext("{*}Size", "0")), element.findtext("{*}ETag")
    return FoundObject(names.read(element, "Key"), size, int(date.timestamp()), etag)
