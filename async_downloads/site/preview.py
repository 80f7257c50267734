"""The data of a file's page: how the file is shown, the pictures before and after it, and its subtitles."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from ..semantics.dates import rfc3339
from ..semantics.representation import Representation
from ..sources.base import Entry
from .html import crumbs_of, render
from .kinds import Kind, kind_of
from .markdown import MAX_MARKDOWN_BYTES, rendered
from .names import labelled, marked, readable
from .rows import quoted_name
from .texts import COLOURED_BYTES, coloured, decoded, numbered
from .view import View, select

__all__ = ["MAX_TEXT_BYTES", "File", "Track", "as_preview", "neighbours_of", "reads_text", "tracks_of"]


MAX_TEXT_BYTES: Final = 1024 * 1024
_TEXTS: Final = frozenset({"text", "markdown", "file"})
_MAX_NAMES: Final = 100_000


@dataclass(frozen=True, slots=True)
class File:
    """A file whose page is drawn: its key, its description, its bytes if it may be a text, the entries of its folder.

    With `is_source`, Markdown is shown as plain text. `base` is the relative URL of the site's top folder. `has_code`
    is False if the URL of the file is too long for a QR code. `signature` is the query that a copied URL needs.
    """

    key: str
    representation: Representation
    data: bytes | None
    siblings: Sequence[Entry]
    base: str
    has_code: bool
    is_source: bool = False
    signature: str = ""

    @property
    def name(self) -> str:
        """The last segment of the key."""
        return self.key.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Track:
    """Subtitles of a video: their relative URL and their language, "und" if it is not known."""

    url: str
    language: str


def reads_text(name: str, size: int | None) -> bool:
    """Return whether the page of a file reads its bytes as a text. A file of an unknown kind may be a text."""
    return kind_of(readable(name)) in _TEXTS and size is not None and size <= MAX_TEXT_BYTES


def as_preview(file: File) -> bytes:
    """Render the page of a file."""
    name = readable(file.name)
    kind, body = _shown(file)
    before, after = neighbours_of(file.name, file.siblings) if kind == "image" else (None, None)
    described = file.representation
    return render(
        "preview.html",
        parts=marked(name),
        label=labelled(name),
        url=quoted_name(file.name),
        signature=file.signature,
        crumbs=crumbs_of(file.key),
        kind=kind,
        body=body,
        before=before,
        after=after,
        tracks=tracks_of(file.name, file.siblings) if kind in {"video", "audio"} else (),
        is_markdown=_is_markdown(file),
        is_source=file.is_source,
        is_too_long=kind_of(name) in {"text", "markdown"} and file.data is None,
        size=described.size,
        media_type=described.media_type,
        modified=None if described.validators.last_modified is None else rfc3339(described.validators.last_modified),
        digest=described.digest.hex() if described.digest else None,
        has_code=file.has_code,
        base=file.base,
    )


def _shown(file: File) -> tuple[Kind, str]:
    """Return how a file is shown, and its text as HTML. A file of the kind "file" has no preview."""
    kind = kind_of(readable(file.name))
    if kind not in _TEXTS:
        return ("file" if kind == "archive" else kind), ""
    text = None if file.data is None else decoded(file.data)
    if text is None:
        return "file", ""
    if _is_markdown(file) and not file.is_source:
        return "markdown", rendered(text)
    html = coloured(readable(file.name), text) if len(text) <= COLOURED_BYTES else escape(text)
    return "text", numbered(html)


def _is_markdown(file: File) -> bool:
    """Return whether the page can show a file as Markdown. If the file is too long, it is shown as plain text."""
    is_short = file.data is not None and len(file.data) <= MAX_MARKDOWN_BYTES
    return is_short and kind_of(readable(file.name)) == "markdown"


def neighbours_of(name: str, siblings: Sequence[Entry]) -> tuple[str | None, str | None]:
    """Return the URLs of the pictures before and after one, in the order of the list."""
    pictures = [each for each in siblings if not each.is_directory and kind_of(readable(each.name)) == "image"]
    names = [entry.name for entry in select(pictures, View(), usual=_MAX_NAMES).entries]
    if name not in names:
        return None, None
    place = names.index(name)
    before = names[place - 1] if place else None
    after = names[place + 1] if place + 1 < len(names) else None
    return _url(before), _url(after)


def _url(name: str | None) -> str | None:
    return None if name is None else quoted_name(name)


def tracks_of(name: str, siblings: Iterable[Entry]) -> tuple[Track, ...]:
    """Return the subtitles of a video: files such as `film.vtt`, `film.en.vtt` and `film.srt` beside `film.mp4`."""
    stem = name.rpartition(".")[0]
    return tuple(
        track
        for entry in sorted(siblings, key=lambda entry: entry.name)
        if not entry.is_directory and (track := _track(stem, entry.name))
    )


def _track(stem: str, name: str) -> Track | None:
    rest, _, suffix = name.rpartition(".")
    if suffix.lower() not in {"srt", "vtt"} or not (rest == stem or rest.startswith(f"{stem}.")):
        return None
    language = readable(rest.removeprefix(stem).removeprefix("."))
    return Track(f"{_url(name)}{'?vtt' if suffix.lower() == 'srt' else ''}", language or "und")
