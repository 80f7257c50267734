"""Choose which of several errors at the same time ends the download."""

from ..errors import DigestMismatch
from .decisions.version import RemoteVersion

__all__ = ["VersionReplaced", "most_severe"]


class VersionReplaced(Exception):
    """The server has another version, so the download begins again."""

    def __init__(self, version: RemoteVersion) -> None:
        super().__init__()
        self.version = version


def most_severe(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the most important error of all that the workers of a group raised.

    DigestMismatch comes first, because the part file must then be removed. VersionReplaced counts only if there is no
    other error.
    """
    leaves = [most_severe(each) if isinstance(each, BaseExceptionGroup) else each for each in group.exceptions]
    return min(leaves, key=lambda each: (not isinstance(each, DigestMismatch), isinstance(each, VersionReplaced)))
