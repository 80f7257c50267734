"""From a listing to a page: what it shows is made here and tested as data, how it looks is in the template."""

import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from os import fsencode
from typing import Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..sources.base import Entry, Listing

__all__ = ["CONTENT_SECURITY_POLICY", "Line", "as_html", "as_json", "lines_of", "readable_size"]


_TEMPLATES: Final = Environment(
    loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_STYLE: Final = files(__package__).joinpath("templates", "listing.css").read_text(encoding="utf-8")
_STYLE_DIGEST: Final = b64encode(sha256(_STYLE.encode()).digest()).decode("ascii")
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as it is shown; `url` is relative to the directory, `modified` is a date in UTC."""

    name: str
    url: str
    kind: str
    size: int | None
    modified: str | None


def lines_of(listing: Listing) -> list[Line]:
    """Return the entries as they are shown, in their order."""
    return [_line(entry) for entry in listing.entries]


def _line(entry: Entry) -> Line:
    slash = "/" if entry.is_directory else ""
    return Line(
        name=_shown(entry.name) + slash,
        # Without "./" a name with a colon would be taken for a scheme.
        url=f"./{quote(fsencode(entry.name), safe='')}{slash}",
        kind="directory" if entry.is_directory else "file",
        size=entry.size,
        modified=None if entry.modified is None else _date(entry.modified),
    )


def _shown(name: str) -> str:
    """Return a name with a mark in place of each byte that is no UTF-8."""
    return fsencode(name).decode("utf-8", "replace")


def _date(moment: int) -> str:
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):  # a moment that no calendar has
        return "?"


def readable_size(size: int) -> str:
    """Write a number of bytes for people.

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


def as_html(key: str, listing: Listing) -> bytes:
    """Draw the directory `key` ("" is the top, else with a slash at its end) as a page."""
    segments = [_shown(segment) for segment in key.split("/")[:-1]]
    trail = [(name, "../" * (len(segments) - depth - 1) or "./") for depth, name in enumerate(segments)]
    page = _TEMPLATES.get_template("listing.html").render(
        path="/" + "/".join([*segments, ""] if segments else []),
        top="../" * len(segments) or "./",
        trail=trail,
        lines=lines_of(listing),
        truncated=listing.truncated,
        readable_size=readable_size,
        style=_STYLE,
    )
    return page.encode("utf-8")


def as_json(key: str, listing: Listing) -> bytes:
    """Write the directory as JSON: `path`, `truncated`, and `entries` with name, url, kind, size and modified."""
    entries = [
        {
            "name": line.name.rstrip("/"),
            "url": line.url,
            "kind": line.kind,
            "size": line.size,
            "modified": line.modified,
        }
        for line in lines_of(listing)
    ]
    return json.dumps({"path": f"/{_shown(key)}", "truncated": listing.truncated, "entries": entries}).encode()
