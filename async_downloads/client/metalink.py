"""Metalink 4 (RFC 5854): a list of files, each with its digests and its URLs. Pure."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urljoin, urlsplit

from .checksum import Checksum
from .disk.names import has_own_suffix

__all__ = ["MetalinkFile", "parse_metalink"]


_NAMESPACE: Final = "{urn:ietf:params:xml:ns:metalink}"
_URL: Final = f"{_NAMESPACE}url"
_STRENGTH: Final = ("sha512", "sha384", "sha256", "sha224", "sha1", "md5")  # the first that a file has is verified
_LAST: Final = 999_999  # the priority of a URL that states none (§4.2.16.1)


@dataclass(frozen=True, slots=True)
class MetalinkFile:
    """One file: its relative path, its strongest digest, and its URLs, the preferred one first."""

    name: str
    checksum: str | None
    urls: tuple[str, ...]


def parse_metalink(body: bytes, url: str = "") -> tuple[MetalinkFile, ...]:
    """Return the files that have an http or https URL. Relative URLs start from `url`.

    Raises ValueError if `body` is not a Metalink 4 document, or if a name is absolute, leads out of the folder
    (§4.1.2.1), has control characters, or is the name of a part file.
    """
    text = body.decode("utf-8-sig")
    if "<!DOCTYPE" in text:  # it could define entities, and a few lines of these could fill the memory
        raise ValueError("a Metalink file must not have a document type")
    try:
        root = ET.fromstring(text)  # noqa: S314  # no entities: see above
    except ET.ParseError as error:
        raise ValueError(f"not a Metalink file: {error}") from None
    if root.tag != f"{_NAMESPACE}metalink":
        raise ValueError("not a Metalink 4 file")
    files = tuple(_file(each, url) for each in root.findall(f"{_NAMESPACE}file"))
    if not any(each.urls for each in files):
        raise ValueError("the Metalink file has no file with an http or https URL")
    return tuple(each for each in files if each.urls)


def _file(element: ET.Element, base: str) -> MetalinkFile:
    return MetalinkFile(_name(element.get("name", "")), _checksum(element), _urls(element, base))


def _name(name: str) -> str:
    """Return a safe relative path. No name in it begins with a dot, as `.bashrc` in the user's home does."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.name or "\\" in name or not name.isprintable():
        raise ValueError("the Metalink file has a name that is not a relative path")
    if has_own_suffix(path.name):  # this package trusts the content of such files
        raise ValueError("the Metalink file has a name like that of an unfinished download")
    return "/".join(f"_{part}" if part.startswith(".") else part for part in path.parts)


def _checksum(element: ET.Element) -> str | None:
    found: dict[str, str] = {}
    for each in element.findall(f"{_NAMESPACE}hash"):
        try:
            checksum = Checksum.parse(f"{each.get('type', '')}:{(each.text or '').strip()}")
        except ValueError:  # an algorithm that `Checksum` does not know
            continue
        found[checksum.algorithm] = str(checksum)
    return next((found[each] for each in _STRENGTH if each in found), None)


def _urls(element: ET.Element, base: str) -> tuple[str, ...]:
    """Return the URLs in the order of their priority; 1 comes first."""
    found = [(_priority(each), _http_url(base, (each.text or "").strip())) for each in element.findall(_URL)]
    return tuple(url for _, url in sorted(found, key=lambda each: each[0]) if url)


def _http_url(base: str, link: str) -> str:
    """Return the http or https URL of a link; "" for any other link, so that the next link is used."""
    try:
        url = urljoin(base, link)
        return url if urlsplit(url).scheme in {"http", "https"} else ""
    except ValueError:
        return ""


def _priority(element: ET.Element) -> int:
    text = element.get("priority", "")
    return int(text) if text.isdecimal() and len(text) < 7 else _LAST
