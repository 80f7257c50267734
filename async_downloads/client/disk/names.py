"""Names for files, out of what servers suggest: each is one harmless name in one folder, on every file system."""

import errno
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from ...semantics.disposition import parse_filename

__all__ = ["file_name", "numbered", "resolve_links", "unused"]


_LINKS: Final = 40  # one after the other; Linux follows no more
_SYSTEM: Final = ("/dev", "/proc")
_MEMORY: Final = "/dev/shm"  # noqa: S108  # it holds files like any other folder


def resolve_links(path: Path) -> Path:
    """Return the file that a path leads to, whether it is there or not. OSError when that cannot be a file.

    Every link on the way is looked at, for /dev/stdout may lead through /proc to a file that somebody writes to.
    """
    for _ in range(_LINKS):
        _refuse_system(path)
        if not path.is_symlink():
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _refuse_system(path: Path) -> None:
    """Refuse what is the system's: another file in its place would be the end of it."""
    folder = Path(os.path.realpath(path.parent))
    if any(map(folder.is_relative_to, _SYSTEM)) and not folder.is_relative_to(_MEMORY):
        raise OSError(errno.EINVAL, "not a regular file")


_ANYTHING: Final = "download"  # when nobody suggests a name
_LONGEST: Final = 240  # bytes: file systems take 255, and the names of the part and of its journal are longer
_EXTENSION: Final = re.compile(r"(?:\.tar)?\.[A-Za-z0-9]{1,16}\Z")  # what is kept of a name that is too long
_SEPARATORS: Final = re.compile(r"[/\\]")
_FORBIDDEN: Final = frozenset('<>:"|?*')  # on Windows, whose users share folders with others
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, marks that turn text around, lone surrogates
_OURS: Final = re.compile(r"\.part(?:\.json(?:\.tmp)?)?\Z", re.IGNORECASE)  # a server could plant a finished download
_DEVICES: Final = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³]) *(?:\.|\Z)", re.IGNORECASE)


def file_name(disposition: str | None, url: str) -> str:
    """Name what a server sends: as its Content-Disposition says, else as the last part of the URL's path.

    Only a name is taken, never a folder. It does not begin with a dot or a dash, is not that of a device or of what
    an unfinished download keeps, has no character that is not seen, and has no more than 240 bytes.

    >>> file_name('attachment; filename="../../.ssh/config"', "https://example.com/a")
    'config'
    >>> file_name(None, "https://example.com/a%20b.txt?key=secret"), file_name(None, "https://example.com/")
    ('a b.txt', 'download')
    """
    suggested = parse_filename(disposition) if disposition else None
    return _safe(suggested or "") or _safe(unquote(urlsplit(url).path)) or _ANYTHING


def _safe(suggested: str) -> str:
    """Make a harmless name of any text; "" when nothing is left of it."""
    name = _SEPARATORS.split(unicodedata.normalize("NFC", suggested))[-1]
    name = "".join(map(_harmless, name)).lstrip(" ").rstrip(". ")
    if name.startswith((".", "-")) or _DEVICES.match(name):
        name = f"_{name}"
    return _foreign(_fitting(name, ""))


def _foreign(name: str) -> str:
    """Make sure that a name is not that of a part or a journal: what is in those is believed."""
    return f"{_shortened(name, _LONGEST - 1)}_" if _OURS.search(name) else name


def _harmless(char: str) -> str:
    if char in _FORBIDDEN or unicodedata.category(char) in _UNSEEN:
        return "_"
    return " " if char.isspace() else char


def _fitting(name: str, mark: str) -> str:
    """Put a mark before the extension, and shorten what comes before it as far as is needed."""
    found = _EXTENSION.search(name, 1)
    stem, extension = (name[: found.start()], found[0]) if found else (name, "")
    short = _shortened(stem, _LONGEST - len(mark.encode()) - len(extension))
    return f"{short}{mark}{extension}".rstrip(". ")


def _shortened(text: str, size: int) -> str:
    """Leave out what is beyond so many bytes."""
    return text.encode()[:size].decode(errors="ignore")


def numbered(path: Path) -> Iterator[Path]:
    """Yield the path, and then `name (1).ext`, `name (2).ext`, … without end."""
    yield path
    for number in count(1):
        yield path.with_name(_fitting(path.name, f" ({number})"))


def unused(path: Path, taken: Callable[[Path], bool]) -> Path:
    """Return the first of the path and its numbers that is not `taken`."""
    return next(each for each in numbered(path) if not taken(each))
