"""The listing of a folder in a response. Pure: the input is bytes, the output entries.

JSON   of this package (an object with `entries`), nginx and Caddy (an array)
HTML   of this package, Apache, nginx, Caddy and Python: each link to a name directly in the folder is an entry

The name of an entry comes from its URL, because the text of a link may be shortened. A link is ignored if it leads out
of the folder or more than one level down, if it has a query (it then sorts the page), or if no file can have its name.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from ...errors import BadResponse
from ..checksum import Checksum
from ..decisions.version import PAGE_TYPES

__all__ = [
    "FolderListing", "ListedEntry", "NotAListing", "check_media_type", "folder_of", "parse_listing", "segments_below",
]  # fmt: skip


_FOLDERS: Final = frozenset({"directory", "dir"})
_FILES: Final = frozenset({"file", ""})  # "" because Caddy sends no kind
_UNESCAPED: Final = "!#$%&'()*+,/:;=?@[]~"  # the characters of a URL; all other ones in a link are escaped
_REMOVED: Final = str.maketrans("", "", "\t\r\n")  # browsers remove them too


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """A file or a folder: `size` in bytes, `modified` in seconds since 1970, `digest` written as `sha256:HEX`."""

    url: str
    name: str
    is_folder: bool
    size: int | None = None
    modified: int | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class FolderListing:
    """The entries of one response. `next` is the URL of the next page. `truncated` says that entries are left out."""

    entries: tuple[ListedEntry, ...]
    next: str | None = None
    truncated: bool = False
    is_ours: bool = False


class NotAListing(BadResponse):
    """The response does not list the files of a folder. It may be a file itself."""


def check_media_type(media_type: str) -> None:
    """Raise NotAListing if no listing has this media type. So a large file need not be read to its end."""
    kind = _kind(media_type)
    if not _is_json(kind) and kind not in PAGE_TYPES:
        raise NotAListing(f"the response is not a list of files: its media type is {kind or 'missing'}")


def _kind(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def parse_listing(body: bytes, media_type: str, url: str) -> FolderListing:
    """Return the entries that a response lists. `url` is that of the response, after redirects.

    Raises NotAListing.
    """
    check_media_type(media_type)
    if _is_json(_kind(media_type)):
        return _from_json(body, url)
    entries = _unique(_from_html(body, url))
    if not entries and not urlsplit(url).path.endswith("/"):  # the page of an empty folder has the URL of a folder
        raise NotAListing("the response is not a list of files: the page has no link to a file beside it")
    return FolderListing(entries)


def folder_of(url: str) -> str:
    """Return the URL of the folder from which a relative link in a page starts.

    >>> folder_of("http://example.com/pub/index.html?sort=size")
    'http://example.com/pub/'
    """
    scheme, netloc, path, *_ = urlsplit(url)
    return urlunsplit((scheme, netloc, f"{path.rpartition('/')[0]}/", "", ""))


def segments_below(folder: str, url: str) -> tuple[str, ...] | None:
    """Return the decoded names that lead from a folder to a URL below it; None if the URL is not below it.

    Bytes that are not UTF-8 become surrogates, as in the names of `os`.

    >>> segments_below("http://example.com/pub/", "http://example.com/pub/a%20b/c")
    ('a b', 'c')
    >>> segments_below("http://example.com/pub/", "http://example.com/pub/%2e%2e/secret") is None
    True
    """
    above, below = urlsplit(folder), urlsplit(url)
    if (above.scheme, above.hostname, above.port) != (below.scheme, below.hostname, below.port):
        return None
    prefix, names = _segments(above.path)[:-1], _segments(below.path)
    if names[: len(prefix)] != prefix:
        return None
    rest = names[len(prefix) :]
    rest = rest[:-1] if rest[-1:] == ("",) else rest
    return rest if all(map(_is_name, rest)) else None


def _segments(path: str) -> tuple[str, ...]:
    return tuple(unquote(each, errors="surrogateescape") for each in (path or "/").split("/"))


def _is_name(segment: str) -> bool:
    return segment not in {"", ".", ".."} and not {"/", "\0"} & {*segment}


def _from_json(body: bytes, url: str) -> FolderListing:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise NotAListing("the response is not a list of files: its JSON is malformed") from None
    about = data if isinstance(data, dict) else {"entries": data}
    if not isinstance(about.get("entries"), list):
        raise NotAListing("the response is not a list of files: it is other JSON")
    found = (_entry_of(item, url) for item in about["entries"] if isinstance(item, dict))
    return FolderListing(
        _unique(filter(None, found)),
        _next_of(about.get("next"), url),
        about.get("truncated") is True,
        is_ours=isinstance(data, dict) and isinstance(data.get("path"), str),
    )


def _next_of(link: object, url: str) -> str | None:
    """Return the URL of the next page of the same folder."""
    if not isinstance(link, str) or not link:
        return None
    resolved = urljoin(url, link)
    return resolved if segments_below(folder_of(url), resolved) == () else None


def _entry_of(item: Mapping[str, Any], url: str) -> ListedEntry | None:
    kind = str(item.get("kind", item.get("type", "")))
    is_folder = kind in _FOLDERS or item.get("is_dir") is True
    if not is_folder and kind not in _FILES:
        return None
    link, name = item.get("url"), item.get("name")
    if not isinstance(link, str):
        link = _link_to(name) if isinstance(name, str) else ""
    link = f"{link.rstrip('/')}/" if is_folder else link
    found = _linked(link, url)
    if found is None or is_folder:
        return found
    modified = _seconds(item.get("modified", item.get("mod_time", item.get("mtime"))))
    return ListedEntry(found.url, found.name, found.is_folder, _size(item.get("size")), modified, _digest(item))


def _link_to(name: str) -> str:
    """Return the relative link to a name; "" if the name has half a character (a surrogate), which no URL can have."""
    try:
        return f"./{quote(name, safe='', errors='surrogateescape')}"
    except UnicodeEncodeError:
        return ""


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _seconds(value: object) -> int | None:
    """Return the time of a text in the form of RFC 3339 (this package, Caddy) or of an HTTP date (nginx)."""
    if not isinstance(value, str):
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(value)
            return int(moment.timestamp() // 1) if moment.tzinfo else None
        except (ValueError, OverflowError, OSError):
            continue
    return None


def _digest(item: Mapping[str, Any]) -> str | None:
    text = item.get("digest") or (f"sha256:{item['sha256']}" if item.get("sha256") else None)
    try:
        return str(Checksum.parse(text)) if isinstance(text, str) else None
    except ValueError:
        return None


class _Links(HTMLParser):
    """Collects the targets of a page's links, and the base URL of relative links."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.base: str = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href")
        if tag == "a" and target:
            self.targets.append(target)
        elif tag == "base" and target and not self.base:
            self.base = target


def _from_html(body: bytes, url: str) -> Iterator[ListedEntry]:
    links = _Links()
    links.feed(body.decode("utf-8", "surrogateescape"))
    for target in links.targets:
        if found := _linked(target, url, links.base):
            yield found


def _linked(target: str, url: str, base: str = "") -> ListedEntry | None:
    """Return the entry of a link; None if the link does not lead directly into the folder."""
    folder = folder_of(url)
    try:
        target = quote(target.strip().translate(_REMOVED), safe=_UNESCAPED, errors="surrogateescape")
        parts = urlsplit(urljoin(urljoin(url, base), target))
        names = segments_below(folder, parts.geturl())
    except ValueError:  # a malformed host or port, or half a character
        return None
    if names is None or len(names) != 1 or parts.query:
        return None
    is_folder, last = parts.path.endswith("/"), parts.path.rstrip("/").rpartition("/")[2]
    return ListedEntry(f"{folder}{last}{'/' if is_folder else ''}", names[0], is_folder)


def _unique(entries: Iterator[ListedEntry]) -> tuple[ListedEntry, ...]:
    """Return each entry once, because a page often links both a name and an icon to the same file."""
    return tuple({each.url: each for each in entries}.values())
