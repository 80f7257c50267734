"""The rules for the real path of a file: it must be inside the directory and must not be hidden."""

import os
import re
from typing import Final

__all__ = ["HIDDEN", "Confinement"]


# Names that begin with one dot. Names with two dots are allowed, because Kubernetes uses them inside volumes
# (`..data`). `.well-known` is allowed, because other programs look for its files (RFC 8615).
HIDDEN: Final = re.compile(r"(?:^|/)\.(?!\.|well-known(?:/|\Z))")
# The same for the target of a link; there `.git/annex/objects` is allowed too, where git-annex keeps file contents.
_HIDDEN_PLACE: Final = re.compile(r"(?:^|/)\.(?!\.|well-known(?:/|\Z)|git/annex/objects/)")


class Confinement:
    """The rules for the files of one directory.

    It resolves the real path of the directory when it is created. It does so again when a file is not below that path,
    because the directory may be a link that was replaced.
    """

    def __init__(self, directory: str, *, hidden: bool, follow_symlinks: bool) -> None:
        self._directory = directory
        self._hidden = hidden
        self._confined = not follow_symlinks
        self._resolve()

    def _resolve(self) -> None:
        """Store the real path of the directory, and its identity if the given path goes through a link."""
        real = os.path.realpath(self._directory)
        self._identity = _identity_of(self._directory) if real != self._directory else None
        self._prefix = os.path.join(real, "")

    def is_allowed(self, place: str) -> bool:
        """Return whether a file may be sent from its real path, to which a link may have led."""
        if not place.startswith(self._prefix) or (self._identity and self._identity != _identity_of(self._directory)):
            self._resolve()  # the directory may be a link that was replaced, and then its old target is outside
        is_inside = place.startswith(self._prefix) or place == self._prefix[:-1]
        if self._confined and not is_inside:
            return False
        names = len(self._prefix) - 1 if is_inside else _common(place, self._prefix)
        return self._hidden or not _HIDDEN_PLACE.search(place, names)


def _identity_of(path: str) -> tuple[int, int] | None:
    """Return device and inode, which identify a directory by any path; None if it does not exist."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _common(place: str, root: str) -> int:
    """Return the length of the path that both paths begin with. Only the names after it belong to the store."""
    return len(os.path.commonpath((place, root)).rstrip("/"))
