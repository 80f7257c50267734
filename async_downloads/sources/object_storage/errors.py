"""Turn the errors of obstore into DownloadErrors."""

import re
from typing import Final

from obstore import exceptions

from ...errors import DownloadError, Forbidden, NotFound, SourceBusy, SourceChanged, SourceError

__all__ = ["NotModified", "NotSatisfiable", "UnreadableKey", "meaning_of"]


# obstore has no class for these two; the texts are those of its S3, GCS, Azure, memory and file stores.
_BUSY: Final = re.compile(
    r"status code: (?:429|503)|status (?:429|503)|SlowDown|TooManyRequests|ServerBusy", re.IGNORECASE
)
_NOT_SATISFIABLE: Final = re.compile(
    r"status code: 416|416 Range Not|non-partial|InvalidRange|starts past the end|range starting at", re.IGNORECASE
)
_NO_PATH: Final = re.compile(r"Not a directory|File name too long")  # of the store of a folder
_LINE_CHARACTERS: Final = 300


class NotModified(DownloadError):
    """The object still has the ETag of the condition."""


class NotSatisfiable(SourceError):
    """The store has no such range: the object is empty or too short, or the store ignores ranges."""


class UnreadableKey(SourceError):
    """A folder has a key that obstore refuses, so obstore lists none of its keys."""


def meaning_of(error: Exception) -> DownloadError:
    """Return the DownloadError that an error of obstore means, with the first line of its text for the log."""
    text = str(error)
    return _type_of(error, text)(text.partition("\n")[0][:_LINE_CHARACTERS])


def _type_of(error: Exception, text: str) -> type[DownloadError]:  # noqa: PLR0911 - a table
    if isinstance(error, FileNotFoundError | exceptions.InvalidPathError | ValueError):
        return NotFound
    if isinstance(error, exceptions.PreconditionError):
        return SourceChanged
    if isinstance(error, exceptions.NotModifiedError):
        return NotModified
    if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
        return Forbidden
    if _NO_PATH.search(text):
        return NotFound
    if _NOT_SATISFIABLE.search(text):
        return NotSatisfiable
    return SourceBusy if _BUSY.search(text) else SourceError
