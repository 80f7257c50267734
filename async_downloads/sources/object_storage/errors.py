"""Turn the errors of obstore into DownloadErrors."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from obstore import exceptions

from ...errors import DownloadError, Forbidden, NotFound, SourceBusy, SourceChanged, SourceError
from .explanations import explained

__all__ = [
    "NotModified",
    "NotSatisfiable",
    "UnreadableKey",
    "lacks_permission",
    "map_object_errors",
    "meaning_of",
    "refuses_key",
]


# obstore has no exception class for these errors, so they are recognized by the texts of its S3, GCS, Azure, memory and
# file stores. For listings, obstore does not use its class for missing permissions.
_DENIED: Final = re.compile(r"list request: Error performing GET .* status code: 40[13]")
_BUSY: Final = re.compile(
    r"status code: (?:429|503)|status (?:429|503)|SlowDown|TooManyRequests|ServerBusy", re.IGNORECASE
)
_NOT_SATISFIABLE: Final = re.compile(
    r"status code: 416|416 Range Not|non-partial|InvalidRange|starts past the end|range starting at", re.IGNORECASE
)
# From a folder, then from S3, which limits the length of the key with its prefix.
_NO_PATH: Final = re.compile(r"Not a directory|File name too long|KeyTooLong")
# The errors of obstore if a key has a character that XML cannot have. Some stores send invalid XML, others a 500.
_NO_XML: Final = re.compile(r"status code: 500|invalid list response")
# The store does not accept the credentials, whatever the key is: the codes of S3, then that of Azure.
_NO_CREDENTIALS: Final = re.compile(
    r"status code: 401|InvalidAccessKeyId|SignatureDoesNotMatch|(?:Expired|Invalid)Token|TokenRefreshRequired"
    r"|RequestTimeTooSkewed|AccountProblem|NotSignedUp|AuthenticationFailed"
)
_NO_PERMISSION: Final = re.compile(r"AccessDenied|AuthorizationPermissionMismatch|does not have storage\.")


class NotModified(DownloadError):
    """The object still has the ETag of the request's condition."""


class NotSatisfiable(SourceError):
    """The store has no such range: the object is empty or too short, or the store ignores ranges."""


class UnreadableKey(SourceError):
    """A folder has a key that obstore refuses. obstore then lists none of the folder's keys."""


@contextmanager
def map_object_errors() -> Iterator[None]:
    """Turn an error of obstore in the block into the DownloadError that it means."""
    try:
        yield
    except (exceptions.BaseError, OSError, ValueError) as error:
        raise meaning_of(error) from error


def meaning_of(error: Exception) -> DownloadError:
    """Return the DownloadError that an error of obstore means, with one line for the log."""
    text = str(error)
    return _type_of(error, text)(explained(text))


def lacks_permission(error: Forbidden) -> bool:
    """Return whether the store accepts the credentials, but they do not permit this request."""
    return bool(_NO_PERMISSION.search(str(error)))


def refuses_key(error: Exception) -> bool:
    """Return whether obstore lists no keys because it refuses one of them."""
    return isinstance(error, exceptions.InvalidPathError) or bool(_NO_XML.search(str(error)))


def _type_of(error: Exception, text: str) -> type[DownloadError]:  # noqa: PLR0911 - a table
    if isinstance(error, FileNotFoundError | exceptions.InvalidPathError | ValueError):
        return NotFound
    if isinstance(error, exceptions.PreconditionError):
        return SourceChanged
    if isinstance(error, exceptions.NotModifiedError):
        return NotModified
    if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError) or _DENIED.search(text):
        return Forbidden if _NO_PERMISSION.search(text) or not _NO_CREDENTIALS.search(text) else SourceError
    if _NO_PATH.search(text):
        return NotFound
    if _NOT_SATISFIABLE.search(text):
        return NotSatisfiable
    return SourceBusy if _BUSY.search(text) else SourceError
