"""The data of the rows of a listing. The template decides how a row looks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import fsencode
from urllib.parse import quote

from ..semantics.dates import rfc3339
from ..sources.base import Entry
from .kinds import Kind, kind_of
from .names import NamePart, labelled, marked, readable

__all__ = ["Row", "Totals", "quoted_name", "readable_size", "row_of", "totals_of", "url_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """The row of one entry.

    `url` is relative to the folder. A form sends `name`. The visible name consists of `parts`, and `label` is the same
    as one text. `modified` is a date in UTC, or "?". `count` is the number of entries of a folder. A `closed` entry
    cannot be read. `is_sendable` is False if no form can send the name, because its bytes are not UTF-8.
    """

    name: str
    label: str
    parts: tuple[NamePart, ...]
    url: str
    kind: Kind
    size: int | None
    modified: str | None
    count: int | None
    closed: bool
    is_sendable: bool


def row_of(entry: Entry, counts: Mapping[str, int]) -> Row:
    """Return the row of an entry; `counts` has the numbers of entries of some folders, by name."""
    name = readable(entry.name)
    return Row(
        name=name,
        label=labelled(name),
        parts=marked(name),
        url=url_of(entry),
        kind="dir" if entry.is_directory else kind_of(name),
        size=entry.size,
        modified=None if entry.modified is None else rfc3339(entry.modified),
        count=counts.get(entry.name) if entry.is_directory else None,
        closed=not entry.is_readable,
        is_sendable="\ufffd" not in name,
    )


def url_of(entry: Entry) -> str:
    """Return the URL of an entry relative to its folder.

    Programs append it to the folder's URL as text. A colon is escaped, because browsers would read the text before it
    as a scheme.
    """
    return f"{quoted_name(entry.name)}{'/' if entry.is_directory else ''}"


def quoted_name(name: str) -> str:
    """Return the name of an entry as a segment of a URL."""
    return quote(fsencode(name), safe="")


def readable_size(size: int) -> str:
    """Format a number of bytes for people.

    >>> readable_size(999), readable_size(1536), readable_size(5 * 1024**4)
    ('999 B', '1.5 KiB', '5.0 TiB')
    """
    if size < 1024:
        return f"{size} B"
    scaled = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        scaled /= 1024
        if scaled < 1023.95 or unit == "PiB":
            break
    return f"{scaled:.1f} {unit}"


@dataclass(frozen=True, slots=True)
class Totals:
    """The numbers of folders and files of a listing, and the bytes of its files."""

    folders: int
    files: int
    size: int


def totals_of(entries: Iterable[Entry]) -> Totals:
    """Count the entries and add up their sizes."""
    folders = files = size = 0
    for entry in entries:
        folders += entry.is_directory
        files += not entry.is_directory
        size += entry.size or 0
    return Totals(folders, files, size)
