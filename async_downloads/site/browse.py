"""Turn a listing into a page or JSON. The rows are data, made and tested here; the template decides how they look."""

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

__all__ = ["CONTENT_SECURITY_POLICY", "Row", "as_html", "as_json", "readable_size", "rows_of"]


_TEMPLATES: Final = Environment(
    loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_STYLE: Final = files(__package__).joinpath("templates", "listing.css").read_text(encoding="utf-8")
_STYLE_DIGEST: Final = b64encode(sha256(_STYLE.encode()).digest()).decode("ascii")
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One entry as it is shown. `url` is relative to the directory; `modified` is a date in UTC, or "?"."""

    name: str
    url: str
    kind: str
    size: int | None
    modified: str | None


def rows_of(listing: Listing) -> list[Row]:
    """Return a row for each entry, in the order of the listing."""
    return [_row(entry) for entry in listing.entries]


def _row(entry: Entry) -> Row:
    slash = "/" if entry.is_directory else ""
    return Row(
        name=_readable(entry.name) + slash,
        # Programs join it to the folder's URL as text. A colon is escaped, else browsers would read a scheme before it.
        url=f"{quote(fsencode(entry.name), safe='')}{slash}",
        kind="directory" if entry.is_directory else "file",
        size=entry.size,
        modified=None if entry.modified is None else _date(entry.modified),
    )


def _readable(name: str) -> str:
    """Return a name with U+FFFD in place of each byte that is not UTF-8."""
    return fsencode(name).decode("utf-8", "replace")


def _date(moment: int) -> str:
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):  # a time that no calendar has
        return "?"


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


def as_html(key: str, listing: Listing) -> bytes:
    """Render the listing of the directory `key` as a page; "" is the top, any other key ends with a slash.

    Programs read the page, too, and follow its links: each entry and the parent are linked once, and nothing else is.
    """
    page = _TEMPLATES.get_template("listing.html").render(
        path=f"/{_readable(key)}",
        is_top=not key,
        rows=rows_of(listing),
        truncated=listing.truncated,
        readable_size=readable_size,
        style=_STYLE,
    )
    return page.encode("utf-8")


def as_json(key: str, listing: Listing) -> bytes:
    """Return the listing as JSON: `path`, `truncated`, and `entries` with name, url, kind, size and modified."""
    entries = [
        {
            "name": row.name.rstrip("/"),
            "url": row.url,
            "kind": row.kind,
            "size": row.size,
            "modified": row.modified,
        }
        for row in rows_of(listing)
    ]
    return json.dumps({"path": f"/{_readable(key)}", "truncated": listing.truncated, "entries": entries}).encode()
