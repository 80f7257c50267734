"""Which real places the files of a directory may have: none outside of it, and none that are hidden."""

import os
import re
from typing import Final

__all__ = ["HIDDEN", "Confinement"]


# Names that begin with one dot. Two dots begin the names inside the volumes of Kubernetes (`..data`). `.well-known` has
# what other programs look for, such as the proofs of certificate authorities (RFC 8615).
HIDDEN: Final = re.compile(r"(?:^|/)\.(?!\.|well-known(?:/|\Z))")
# The same in a place that a link leads to, where git-annex keeps the content of files.
_HIDDEN_PLACE: Final = re.compile(r"(?:^|/)\.(?!\.|well-known(?:/|\Z)|git/annex/objects/)")


class Confinement:
    """The rules for the files of one directory.

    It resolves the real place of the directory when it is created, and again when a file is not below that place: the
    directory may be a link that was replaced.
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
        """Whether a file may be sent from its real place, which a link may have led to."""
        if not place.startswith(self._prefix) or (self._identity and self._identity != _identity_of(self._directory)):
            self._resolve()  # the directory may be a link that was replaced; then its old target is outside now
        is_inside = place.startswith(self._prefix) or place == self._prefix[:-1]
        if self._confined and not is_inside:
            return False
        names = len(self._prefix) - 1 if is_inside else _common(place, self._prefix)
        return self._hidden or not _HIDDEN_PLACE.search(place, names)


def _identity_of(path: str) -> tuple[int, int] | None:
    """Return device and inode, which identify a directory whatever path leads to it; None if it does not exist."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _common(place: str, root: str) -> int:
    """Return the length of the path that a place and the root share: only the names after it belong to the store."""
    return len(os.path.commonpath((place, root)).rstrip("/"))
