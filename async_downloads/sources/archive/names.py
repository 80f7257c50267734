"""Safe names in an archive: a program that unpacks it writes only below the folder that its user chose."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["safe_name", "unique_names"]


# A backslash separates folders on Windows, and a line feed or an escape sequence could forge the output of a program
# that unpacks. A surrogate stands for a byte that is not UTF-8.
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]")
_DRIVE: Final = re.compile(r"(?:\A|(?<=/))([A-Za-z]):")


def safe_name(name: str) -> str:
    r"""Return a relative name, with `_` instead of all that could lead out of the folder. A final slash is kept.

    >>> safe_name("../../etc/passwd"), safe_name("/a//./b"), safe_name("..\\x\n"), safe_name("C:/x/")
    ('__/__/etc/passwd', 'a/b', '.._x_', 'C_/x/')
    """
    segments = [segment for segment in _UNSAFE.sub("_", name).split("/") if segment not in {"", "."}]
    safe = "/".join("__" if segment == ".." else segment for segment in segments) or "_"
    return _DRIVE.sub(r"\1_", safe) + ("/" if name.endswith("/") else "")


def unique_names(names: Iterable[str]) -> Iterator[str]:
    """Yield safe names that differ: the second file with a name gets a number.

    >>> list(unique_names(["a/x.txt", "a/x.txt", "b", "a\\\\x.txt", "a_x.txt"]))
    ['a/x.txt', 'a/x (2).txt', 'b', 'a_x.txt', 'a_x (2).txt']
    """
    taken: set[str] = set()
    for name in map(safe_name, names):
        free, number = name, 2
        while free in taken:
            free, number = _numbered(name, number), number + 1
        taken.add(free)
        yield free


def _numbered(name: str, number: int) -> str:
    folder, slash, last = name.rstrip("/").rpartition("/")
    stem, dot, suffix = last.rpartition(".")
    numbered = f"{stem} ({number}){dot}{suffix}" if stem else f"{last} ({number})"
    return f"{folder}{slash}{numbered}{'/' if name.endswith('/') else ''}"
