"""Make safe file names from those that servers suggest (RFC 6266 §4.3): no folder, and valid on any file system."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from ...semantics.suggested_name import suggested_filename

__all__ = ["MAX_NAME_BYTES", "PAGE_NAME", "file_name", "has_own_suffix", "numbered", "unused"]


_DEFAULT_NAME: Final = "download"
PAGE_NAME: Final = "index.html"  # as in wget, of a page whose URL names no file
MAX_NAME_BYTES: Final = 240  # most file systems allow 255, and the part file and the journal have longer names
_EXTENSION: Final = re.compile(r"(?:\.tar)?\.[A-Za-z0-9]{1,16}\Z")  # kept if a long name is shortened
_SEPARATORS: Final = re.compile(r"[/\\]")
_FORBIDDEN: Final = frozenset('<>:"|?*')  # on Windows, which may share the directory
# Categories of Unicode: control characters, marks that change the direction of text, surrogates.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# A file with such a name could be a false part, made by a server.
_OWN_SUFFIX: Final = re.compile(r"\.part(?:\.new)?(?:\.json(?:\.tmp)?)?\Z", re.IGNORECASE)
_DEVICES: Final = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³]) *(?:\.|\Z)", re.IGNORECASE)


def file_name(disposition: str | None, url: str, final_url: str = "", *, is_page: bool = False) -> str:
    """Return a safe file name from a Content-Disposition field, or else from the last segment of the URL's path.

    If that segment is empty, use the path of `final_url`, to which the server redirected. If that has no name either,
    the name is `index.html` for an HTML page, and `download` for any other file.

    The name has no directory, at most 240 bytes and no invisible character. It does not begin with a dot or a dash, and
    is not the name of a Windows device, a part file or a journal.

    >>> file_name('attachment; filename="../../.ssh/config"', "https://example.com/a")
    'config'
    >>> file_name(None, "https://example.com/a%20b.txt?key=secret"), file_name(None, "https://example.com/")
    ('a b.txt', 'download')
    """
    suggested = suggested_filename(disposition) if disposition else None
    default = PAGE_NAME if is_page else _DEFAULT_NAME
    return _safe(suggested or "") or _last_segment(url) or _last_segment(final_url) or default


def _last_segment(url: str) -> str:
    """Return a safe name from the path of a URL. Bytes that are not UTF-8 stay percent-encoded, as they were sent."""
    segment = urlsplit(url).path.rpartition("/")[2]
    try:
        return _safe(unquote(segment, errors="strict"))
    except UnicodeDecodeError:
        return _safe(segment)


def _safe(suggested: str) -> str:
    """Return a safe name for any text; "" if no safe characters are left."""
    name = _SEPARATORS.split(unicodedata.normalize("NFC", suggested))[-1]
    name = _storable("".join(map(_safe_char, name))).lstrip(" ").rstrip(". ")
    if name.startswith((".", "-")) or _DEVICES.match(name):
        name = f"_{name}"
    return _without_own_suffix(_fit(name, ""))


def _without_own_suffix(name: str) -> str:
    """Append "_" to the name of a part or a journal, because this package trusts the content of such files."""
    return f"{_truncate(name, MAX_NAME_BYTES - 1)}_" if has_own_suffix(name) else name


def has_own_suffix(name: str) -> bool:
    """Return whether a name is that of a part file or a journal."""
    return bool(_OWN_SUFFIX.search(name))


def _safe_char(char: str) -> str:
    if char in _FORBIDDEN or unicodedata.category(char) in _INVISIBLE:
        return "_"
    return " " if char.isspace() else char


def _storable(name: str) -> str:
    """Percent-encode the characters that the locale cannot encode, such as all non-ASCII ones with LC_ALL=POSIX."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return "".join(char if char.isascii() else quote(char) for char in name)
    return name


def _fit(name: str, mark: str) -> str:
    """Insert `mark` before the extension, and shorten the stem so that the name is not too long."""
    found = _EXTENSION.search(name, 1)
    stem, extension = (name[: found.start()], found[0]) if found else (name, "")
    short = _truncate(stem, MAX_NAME_BYTES - len(mark.encode()) - len(extension))
    return f"{short}{mark}{extension}".rstrip(". ")


def _truncate(text: str, size: int) -> str:
    """Shorten the text to at most `size` bytes of UTF-8, between two characters."""
    return text.encode()[:size].decode(errors="ignore")


def numbered(path: Path) -> Iterator[Path]:
    """Yield the path, then `name (1).ext`, `name (2).ext`, … without end."""
    yield path
    for number in count(1):
        yield path.with_name(_fit(path.name, f" ({number})"))


def unused(path: Path, taken: Callable[[Path], bool]) -> Path:
    """Return the path or the first of its numbered paths that is not `taken`."""
    return next(each for each in numbered(path) if not taken(each))
