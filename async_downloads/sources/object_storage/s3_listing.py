"""List a folder of a bucket that has keys which obstore refuses, such as `a//b`.

obstore then lists none of the folder's keys. So this module sends the request (ListObjectsV2) with a signed URL. It
uses a thread, because few buckets need it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.error import HTTPError
from urllib.parse import unquote_plus
from urllib.request import urlopen
from xml.etree import ElementTree as ET

from ...errors import Forbidden, SourceBusy, SourceError
from .found import Found, FoundObject
from .s3_signing import S3Signer

__all__ = ["list_in_thread"]


_SECONDS: Final = 30.0
_BUSY: Final = {429, 503}
_DENIED: Final = {401, 403}
_MAX_PAGES: Final = 200  # of 1,000 keys each


def list_in_thread(signer: S3Signer, prefix: str, now: float) -> Found:
    """Return the objects and prefixes directly below a prefix. Raises SourceError."""
    objects: list[FoundObject] = []
    prefixes: list[str] = []
    folder = "/".join(filter(None, (signer.prefix, prefix)))
    parameters = {"list-type": "2", "delimiter": "/", "encoding-type": "url", "prefix": f"{folder}/" if folder else ""}
    for _ in range(_MAX_PAGES):
        page = _page(signer.sign("GET", "", now=now, seconds=int(_SECONDS), parameters=parameters))
        names = _Names(signer.prefix, is_encoded=page.findtext("{*}EncodingType") == "url")
        objects += _objects(page, names)
        prefixes += [names.read(each, "Prefix") for each in page.iterfind("{*}CommonPrefixes")]
        following = page.findtext("{*}NextContinuationToken")
        if not following:
            break
        parameters = {**parameters, "continuation-token": following}
    return Found(objects, prefixes)


def _page(url: str) -> ET.Element:
    try:
        with urlopen(url, timeout=_SECONDS) as response:  # noqa: S310 - the operator chose the store
            return ET.fromstring(response.read())  # noqa: S314 - and trusts it
    except HTTPError as error:
        kind = SourceBusy if error.code in _BUSY else Forbidden if error.code in _DENIED else SourceError
        raise kind(f"the bucket cannot be listed: {error}") from error
    except (OSError, ET.ParseError) as error:
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


def _objects(page: ET.Element, names: _Names) -> Iterator[FoundObject]:
    for each in page.iterfind("{*}Contents"):
        date = datetime.fromisoformat(each.findtext("{*}LastModified", "1970-01-01T00:00:00Z"))
        size, etag = int(each.findtext("{*}Size", "0")), each.findtext("{*}ETag")
        yield FoundObject(names.read(each, "Key"), size, int(date.timestamp()), etag)
