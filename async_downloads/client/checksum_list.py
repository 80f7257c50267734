"""A list of checksums such as SHA256SUMS, which `sha256sum` and similar programs write. Pure: no I/O.

HEX  name          GNU coreutils; an asterisk before the name marks a binary file
SHA256 (name) = HEX   BSD, `--tag` of GNU, and OpenSSL, which leaves out spaces and calls it SHA2-256
HEX                   without a name: a `name.sha256` often has only the checksum of the file beside it
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Self

from .checksum import Checksum

__all__ = ["ChecksumList"]


_GNU: Final = re.compile(r"(?P<escaped>\\?)(?P<digits>[0-9A-Fa-f]{32,128})(?: [ *]|\t+| +)(?P<name>.+)")
_BSD: Final = re.compile(r"(?P<escaped>\\?)(?P<algorithm>[A-Za-z0-9-]+) ?\((?P<name>.+)\) ?= (?P<digits>[0-9A-Fa-f]+)")
_ALONE: Final = re.compile(r"[0-9A-Fa-f]{32,128}")
_ESCAPES: Final = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}  # in a name whose line begins with a backslash


@dataclass(frozen=True, slots=True)
class ChecksumList:
    """The checksums of a list by name. `alone` is the checksum of a list that has one checksum without a name."""

    by_name: dict[str, Checksum]
    alone: Checksum | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a list. Lines of other forms, such as a signature, are ignored.

        If a name has several checksums, the longest one counts, because a BSD list may have both MD5 and SHA-256.

        Raises ValueError if no line has a checksum, or two lines contradict each other.
        """
        text = text.removeprefix("\ufeff")  # a byte order mark, which Windows programs write
        if _ALONE.fullmatch(text.strip()):
            return cls({}, _checksum(text.strip()))
        found: dict[str, Checksum] = {}
        for name, checksum in _entries(text):
            known = found.get(name, checksum)
            if known.algorithm == checksum.algorithm and known != checksum:
                raise ValueError(f"the list has more than one checksum for {name!r}")
            found[name] = max(known, checksum, key=lambda each: len(each.digest))
        if not found:
            raise ValueError("no line has a checksum and a name")
        return cls(found)

    def find(self, name: str) -> Checksum:
        """Return the checksum of a file, given by its name, its path, or the path of its URL.

        The paths in the list may start at any folder above the file, so the longest listed end of the path counts. The
        name without folders is enough if all lines with this name have the same checksum. Raises ValueError if the list
        has no checksum for the file.
        """
        if self.alone:
            return self.alone
        parts = PurePosixPath(name).parts
        for start in range(len(parts)):
            if (listed := "/".join(parts[start:])) in self.by_name:
                return self.by_name[listed]
        same_name = {checksum for each, checksum in self.by_name.items() if _last(each) == _last(name)}
        if len(same_name) != 1:
            raise ValueError(f"the list has {'no' if not same_name else 'more than one'} checksum for {_last(name)!r}")
        return same_name.pop()


def _entries(text: str) -> Iterator[tuple[str, Checksum]]:
    for line in text.split("\n"):  # `splitlines` also splits at characters that a name may have
        found = _BSD.fullmatch(line.strip()) or _GNU.fullmatch(line.strip())
        if not found:
            continue
        try:
            checksum = _checksum(found["digits"], found.groupdict().get("algorithm"))
        except ValueError:
            continue
        yield _normal(_unescaped(found["name"]) if found["escaped"] else found["name"]), checksum


def _checksum(digits: str, algorithm: str | None = None) -> Checksum:
    """Return a checksum. Without `algorithm`, the number of digits determines it. Raises ValueError."""
    return Checksum.parse(f"{algorithm.upper().replace('SHA2-', 'SHA')}:{digits}" if algorithm else digits)


def _unescaped(name: str) -> str:
    return re.sub(r"\\[\\nr]", lambda found: _ESCAPES[found[0]], name)


def _normal(name: str) -> str:
    return str(PurePosixPath(name))


def _last(name: str) -> str:
    return PurePosixPath(name).name
