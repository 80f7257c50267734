"""The errors of async_downloads, one tree::

    DownloadError
    ├── NotFound              404  the key has no representation
    │   └── IsDirectory       404  the key names a directory
    ├── Forbidden             403  this process, or a signed link, may not read the representation
    ├── LinkExpired           410  the signed link has expired
    ├── AlreadyThere          409  the key is in use
    ├── ArchiveTooLarge       413  the folder is too large for an archive
    ├── SourceError           502  the source cannot give the bytes
    │   ├── SourceBusy        503  the source has no free descriptor or connection at the moment
    │   ├── SourceChanged     502  the described version no longer exists
    │   └── SourceTruncated   502  the source has fewer bytes than it described
    ├── SendStalled                the client read nothing for too long
    └── FetchError              1  a download from a server failed
        ├── NetworkError        4  the connection failed or broke
        │   ├── NoSuchHost      4  the server's name has no address
        │   ├── Stalled         4  the download was too slow for too long
        │   └── DeadlineExceeded    4  the download took longer than its deadline
        ├── TlsError            5  the certificate is not trusted, or the handshake failed
        ├── BadStatus           8  the server's response is an error; 6 for 401 and 407
        ├── BadResponse         7  the response breaks HTTP or contradicts an earlier one
        ├── RemoteChanged       7  the representation changes faster than it can be fetched
        ├── RefusedRedirect     7  a redirect leads from https to http, or there are too many
        ├── DigestMismatch      9  the bytes do not have the expected digest
        ├── TargetBusy          3  another process downloads to this file
        ├── DiskError           3  the file cannot be written
        └── RetriesExhausted       every try failed; the exit code is that of the last error

The number of a server's error is the status of the response; that of a client's error is the exit code of the command.
The statuses 304, 412 and 416 are no errors: `plan` returns them. The message of an error is one line for the operator's
log; the response to a client contains only the status.
"""

from http import HTTPStatus
from typing import ClassVar

__all__ = [
    "AlreadyThere",
    "ArchiveTooLarge",
    "BadResponse",
    "BadStatus",
    "DeadlineExceeded",
    "DigestMismatch",
    "DiskError",
    "DownloadError",
    "FetchError",
    "Forbidden",
    "IsDirectory",
    "LinkExpired",
    "NetworkError",
    "NoSuchHost",
    "NotFound",
    "RefusedRedirect",
    "RemoteChanged",
    "RetriesExhausted",
    "SendStalled",
    "SourceBusy",
    "SourceChanged",
    "SourceError",
    "SourceTruncated",
    "Stalled",
    "TargetBusy",
    "TlsError",
]


class DownloadError(Exception):
    """A download cannot be started or finished.

    `status` is the status of the response if nothing has been sent yet; later, the connection is closed early.
    """

    status: ClassVar[int] = 500


class NotFound(DownloadError):
    """The key has no representation."""

    status = 404


class IsDirectory(NotFound):
    """The key names a directory, not a representation."""


class Forbidden(DownloadError):
    """This process may not read the representation, or a signed link is for another representation."""

    status = 403


class LinkExpired(DownloadError):
    """The signed link was valid, but has expired."""

    status = 410


class AlreadyThere(DownloadError):
    """The key is in use, and its representation must not be replaced."""

    status = 409


class ArchiveTooLarge(DownloadError):
    """The folder has more bytes, or more entries, than an archive may have."""

    status = 413


class SourceError(DownloadError):
    """The source cannot give the bytes."""

    status = 502


class SourceBusy(SourceError):
    """The source has no free descriptor, connection or memory; try again after `retry_after` seconds."""

    status = 503

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SourceChanged(SourceError):
    """The version that the source described no longer exists."""


class SourceTruncated(SourceError):
    """The source ended before the length that it described."""


class SendStalled(DownloadError):
    """The client read no bytes for the whole stall timeout.

    It is no `TimeoutError`, because Quart ignores a `TimeoutError` while it sends, and the client would wait for ever.
    """


class FetchError(DownloadError):
    """A download from a server failed.

    `exit_code` is the exit code of the command. The message is one line and contains no secrets from the URL.
    """

    exit_code: int = 1


class NetworkError(FetchError):
    """The connection to the server failed or broke."""

    exit_code = 4


class NoSuchHost(NetworkError):
    """The server's name has no address. The client tries again only if the name had an address before."""


class Stalled(NetworkError):
    """The download was slower than the minimum speed for the whole stall timeout.

    It is no `TimeoutError`, for the same reason as `SendStalled`.
    """


class DeadlineExceeded(NetworkError):
    """The download took longer than its deadline."""


class TlsError(FetchError):
    """The certificate is not trusted, or the handshake failed. The client does not try again."""

    exit_code = 5


class BadStatus(FetchError):
    """The server's response is an error. `code` is its status, such as 404; `status` is not."""

    exit_code: int = 8

    def __init__(self, code: int, message: str | None = None) -> None:
        sender = "proxy" if code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED else "server"
        super().__init__(message or f"the {sender} responded {_phrase(code)}")
        self.code = code
        if code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}:
            self.exit_code = 6

    def explained(self, text: str) -> "BadStatus":
        """Return the error with the server's own explanation, if it says more than the status."""
        said = text.removeprefix(f"{_phrase(self.code)}: ")  # many servers begin with the status
        return self if str(self).lower().endswith(said.lower()) else BadStatus(self.code, f"{self}: {said}")


def _phrase(code: int) -> str:
    """Return a status with its phrase.

    >>> _phrase(404), _phrase(599)
    ('404 Not Found', '599')
    """
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


class BadResponse(FetchError):
    """The response breaks HTTP, or its range, length or coding is not the one that was requested or announced."""

    exit_code = 7


class RemoteChanged(FetchError):
    """The server replaced the representation too often, or at a time when the download could not start again."""

    exit_code = 7


class RefusedRedirect(FetchError):
    """The client did not follow a redirect, because it leads from https to http or is one of too many."""

    exit_code = 7


class DigestMismatch(FetchError):
    """All bytes arrived, but their digest is not the expected one. Both digests have the form `sha256:HEX`."""

    exit_code = 9

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"the digest is {actual}, but should be {expected}")
        self.expected = expected
        self.actual = actual


class TargetBusy(FetchError):
    """Another download, or another program, uses this file."""

    exit_code = 3


class DiskError(FetchError):
    """The file cannot be written: no space, no permission, no such folder, or the path is a folder."""

    exit_code = 3


class RetriesExhausted(FetchError):
    """All `tries` failed with errors that may be temporary; `last` is the last error.

    `wait` is the number of seconds that the server asks to wait, if the download does not wait so long.
    """

    def __init__(self, last: FetchError, *, tries: int, wait: float | None = None) -> None:
        asked = "" if wait is None else f"; the server asks to wait {wait:.0f} s"
        super().__init__(f"gave up after {tries} {'try' if tries == 1 else 'tries'}: {last}{asked}")
        self.last = last
        self.tries = tries
        self.exit_code: int = last.exit_code
