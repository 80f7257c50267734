"""Turn the entries of a folder into a page or JSON. `rows` makes the data; the template decides how they look."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..semantics.dates import rfc3339
from ..sources.base import Entry, Listing
from .html import crumbs_of, render
from .markdown import rendered_readme
from .names import labelled, readable
from .rows import Totals, readable_size, row_of, totals_of, url_of
from .view import MAX_ROWS, PAGE_ROWS, Selected, View, select

__all__ = ["Folder", "ReadmeText", "as_html", "as_json"]


_ENCODED_AT_ONCE: Final = 100  # entries in JSON: in one call for all, no other thread would run for milliseconds


@dataclass(frozen=True, slots=True)
class ReadmeText:
    """The README of a folder: its name and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Folder:
    """The data of a folder's page. `key` is "" for the top folder; any other key ends with a slash.

    `counts` has the numbers of entries of some of its folders. `base` is the relative URL of the site's top folder,
    from which a browser loads the style; it is None for a program, which needs no style.
    """

    key: str
    listing: Listing
    counts: Mapping[str, int] = field(default_factory=dict)
    readme: ReadmeText | None = None
    base: str | None = None


def as_html(folder: Folder, view: View) -> bytes:
    """Render a page that lists a folder.

    Programs also read the page and follow its links. So each entry and the parent folder have one link, and the page
    has no other links.
    """
    entries = folder.listing.entries
    selected = select(entries, view, usual=MAX_ROWS if folder.base is None else PAGE_ROWS)
    return render(
        "listing.html",
        path=f"/{labelled(readable(folder.key))}",
        crumbs=crumbs_of(folder.key or "/"),
        is_top=not folder.key,
        view=view,
        selected=selected,
        rows=[row_of(entry, folder.counts) for entry in selected.entries],
        total=len(entries),
        is_whole=len(selected.entries) == len(entries),
        summary=_summary(totals_of(entries), selected, view),
        truncated=folder.listing.truncated,
        readme=folder.readme and _readme(folder.readme),
        base=folder.base,
    )


def _readme(readme: ReadmeText) -> dict[str, str]:
    return {"name": labelled(readable(readme.name)), "html": rendered_readme(readme.name, readme.text)}


def _summary(totals: Totals, selected: Selected, view: View) -> str:
    """Describe the whole folder, and the part of it that the page shows.

    >>> _summary(Totals(1, 2, 2048), Selected([], 0, 0), View())
    '1 folder, 2 files · 2.0 KiB'
    """
    kinds = [_counted(totals.folders, "folder"), _counted(totals.files, "file")]
    text = ", ".join(kind for kind in kinds if not kind.startswith("0 ")) or "empty"
    text += f" · {readable_size(totals.size)}" if totals.files else ""
    if view.q:
        text = f"{selected.matching:,} of {_counted(totals.folders + totals.files, 'entry', 'entries')}"
    if len(selected.entries) < selected.matching:
        first = selected.start + 1
        text += f" · showing {first:,}–{selected.start + len(selected.entries):,}"  # noqa: RUF001 - a range of numbers
    return text


def _counted(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def as_json(folder: Folder, view: View) -> bytes:
    """Return the listing as JSON: `path`, `truncated`, `entries`, and `next` if there are more entries.

    An entry has name, url, kind, size and modified, and its digest if it is known. `next` is the relative URL of the
    list of the next entries.
    """
    selected = select(folder.listing.entries, view, usual=MAX_ROWS)
    document: dict[str, Any] = {
        "path": f"/{readable(folder.key)}",
        "truncated": folder.listing.truncated and selected.after is None,
    }
    if selected.after is not None:
        document["next"] = f"{view.query(after=selected.after)}&json"
    starts = range(0, len(selected.entries), _ENCODED_AT_ONCE)
    runs = (selected.entries[start : start + _ENCODED_AT_ONCE] for start in starts)
    entries = ", ".join(json.dumps([_json_entry(entry) for entry in run])[1:-1] for run in runs)
    return f'{json.dumps(document)[:-1]}, "entries": [{entries}]}}'.encode()


def _json_entry(entry: Entry) -> dict[str, Any]:
    fields = {
        "name": readable(entry.name),
        "url": url_of(entry),
        "kind": "directory" if entry.is_directory else "file",
        "size": entry.size,
        "modified": None if entry.modified is None else rfc3339(entry.modified),
    }
    return {**fields, "digest": f"sha256:{entry.digest.hex()}"} if entry.digest else fields
