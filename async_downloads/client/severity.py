"""The choice among several errors that happened at the same time: one of them ends the download."""

from ..errors import DigestMismatch
from .decisions.version import RemoteVersion

__all__ = ["VersionReplaced", "most_severe"]


class VersionReplaced(Exception):
    """The server has another version, so the download begins again."""

    def __init__(self, version: RemoteVersion) -> None:
        super().__init__()
        self.version = version


def most_severe(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that decides, of all that the workers of a group raised.

    DigestMismatch comes first, since the part file must then be removed; a new version counts only if it is alone.
    """
    leaves = [most_severe(each) if isinstance(each, BaseExceptionGroup) else each for each in group.exceptions]
    return min(leaves, key=lambda each: (not isinstance(each, DigestMismatch), isinstance(each, VersionReplaced)))
