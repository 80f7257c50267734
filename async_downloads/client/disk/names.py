"""File names from what servers suggest (RFC 6266 §4.3): each is one safe name in one directory, on any file system."""

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


_MAX_LINKS: Final = 40  # in a chain, as in Linux
_SYSTEM_DIRECTORIES: Final = ("/dev", "/proc")
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108  # below /dev, but with ordinary files


def resolve_links(path: Path) -> Path:
    """Return the path that a chain of symbolic links leads to; that file need not exist.

    Every link of the chain is checked: /dev/stdout may lead through /proc to a file that another program writes.

    Raises OSError if the chain is too long or leads into /dev or /proc.
    """
    for _ in range(_MAX_LINKS):
        _refuse_system(path)
        if not path.is_symlink():
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _refuse_system(path: Path) -> None:
    """Raise OSError for a path in /dev or /proc: a download would replace a device."""
    directory = Path(os.path.realpath(path.parent))
    if any(map(directory.is_relative_to, _SYSTEM_DIRECTORIES)) and not directory.is_relative_to(_SHARED_MEMORY):
        raise OSError(errno.EINVAL, "not a regular file")


_DEFAULT_NAME: Final = "download"
_NAME_BYTES: Final = 240  # file systems allow 255, and the suffixes of part and journal come on top
_EXTENSION: Final = re.compile(r"(?:\.tar)?\.[A-Za-z0-9]{1,16}\Z")  # kept if the name is too long
_SEPARATORS: Final = re.compile(r"[/\\]")
_FORBIDDEN: Final = frozenset('<>:"|?*')  # by Windows, which may share the directory
_INVISIBLE: Final = frozenset(
    {"Cc", "Cf", "Cs", "Zl", "Zp"}
)  # controls, marks that change the direction of text, surrogates
_OWN_SUFFIX: Final = re.compile(r"\.part(?:\.json(?:\.tmp)?)?\Z", re.IGNORECASE)  # a server could plant a false part
_DEVICES: Final = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³]) *(?:\.|\Z)", re.IGNORECASE)


def file_name(disposition: str | None, url: str) -> str:
    """Return a safe file name from a Content-Disposition field, or else from the last segment of the URL's path.

    The name has no directory, at most 240 bytes and no invisible character. It does not begin with a dot or a dash, and
    is not the name of a Windows device, a part file or a journal.

    >>> file_name('attachment; filename="../../.ssh/config"', "https://example.com/a")
    'config'
    >>> file_name(None, "https://example.com/a%20b.txt?key=secret"), file_name(None, "https://example.com/")
    ('a b.txt', 'download')
    """
    suggested = parse_filename(disposition) if disposition else None
    return _safe(suggested or "") or _safe(unquote(urlsplit(url).path)) or _DEFAULT_NAME


def _safe(suggested: str) -> str:
    """Return a safe name for any text; "" if nothing of it is safe."""
    name = _SEPARATORS.split(unicodedata.normalize("NFC", suggested))[-1]
    name = "".join(map(_safe_char, name)).lstrip(" ").rstrip(". ")
    if name.startswith((".", "-")) or _DEVICES.match(name):
        name = f"_{name}"
    return _without_own_suffix(_fit(name, ""))


def _without_own_suffix(name: str) -> str:
    """Append "_" to the name of a part or a journal, because this package trusts the content of such files."""
    return f"{_truncate(name, _NAME_BYTES - 1)}_" if _OWN_SUFFIX.search(name) else name


def _safe_char(char: str) -> str:
    if char in _FORBIDDEN or unicodedata.category(char) in _INVISIBLE:
        return "_"
    return " " if char.isspace() else char


def _fit(name: str, mark: str) -> str:
    """Insert `mark` before the extension, and shorten the stem so that the name is not too long."""
    found = _EXTENSION.search(name, 1)
    stem, extension = (name[: found.start()], found[0]) if found else (name, "")
    short = _truncate(stem, _NAME_BYTES - len(mark.encode()) - len(extension))
    return f"{short}{mark}{extension}".rstrip(". ")


def _truncate(text: str, size: int) -> str:
    """Cut the text to `size` bytes of UTF-8, between two characters."""
    return text.encode()[:size].decode(errors="ignore")


def numbered(path: Path) -> Iterator[Path]:
    """Yield the path, then `name (1).ext`, `name (2).ext`, … without end."""
    yield path
    for number in count(1):
        yield path.with_name(_fit(path.name, f" ({number})"))


def unused(path: Path, taken: Callable[[Path], bool]) -> Path:
    """Return the first of the path and its numbered paths that is not `taken`."""
    return next(each for each in numbered(path) if not taken(each))
