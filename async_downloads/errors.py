"""The errors of async_downloads, one tree.

    DownloadError
    ├── NotFound              404  no representation for this key
    │   └── IsDirectory       404  the key names a collection, not a representation
    ├── Forbidden             403  it exists, but this process may not read it
    ├── AlreadyThere          409  the key is taken
    ├── SourceError           502  the bytes cannot be had
    │   ├── SourceBusy        503  not now: out of descriptors or connections
    │   ├── SourceChanged     502  the version that was promised is gone
    │   └── SourceTruncated   502  fewer bytes than were promised
    ├── SendStalled                the client took nothing for too long
    └── FetchError              1  a download could not be had from a server
        ├── NetworkError        4  no connection, or a broken one
        │   ├── NoSuchHost      4  the name of the server is nobody's
        │   ├── Stalled         4  it went on too slowly for too long
        │   └── DeadlineExceeded    4  it took longer than it was allowed to
        ├── TlsError            5  the certificate or the handshake
        ├── BadStatus           8  the server answered with an error; 6 when it asks who we are
        ├── BadResponse           7  the server broke HTTP or a promise of its own
        ├── RemoteChanged       7  the representation changes faster than it can be fetched
        ├── RefusedRedirect     7  from https to http, or round and round
        ├── DigestMismatch      9  the bytes are not those that were promised
        ├── TargetBusy          3  another process downloads to this file
        ├── DiskError           3  the file cannot be written
        └── RetriesExhausted       each try failed; the number of the last one

The server's errors have the status they are answered with, the client's the exit code they end a command with. 304,
412 and 416 are plans, not errors. A message is for the operator's log, one line; a client is told the status alone.
"""

from http import HTTPStatus
from typing import ClassVar

__all__ = [
    "AlreadyThere",
    "BadResponse",
    "BadStatus",
    "DeadlineExceeded",
    "DigestMismatch",
    "DiskError",
    "DownloadError",
    "FetchError",
    "Forbidden",
    "IsDirectory",
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
    """Something kept a download from being answered or finished.

    `status` is what to answer while nothing has been sent; after that the connection is closed short.
    """

    status: ClassVar[int] = 500


class NotFound(DownloadError):
    """No representation can be had for this key."""

    status = 404


class IsDirectory(NotFound):
    """The key names a collection of representations, not one."""


class Forbidden(DownloadError):
    """The representation exists, but this process may not read it."""

    status = 403


class AlreadyThere(DownloadError):
    """Something else has this key, and is not to be replaced."""

    status = 409


class SourceError(DownloadError):
    """The source cannot give the bytes."""

    status = 502


class SourceBusy(SourceError):
    """The source is out of a scarce resource; `retry_after` seconds later it may not be."""

    status = 503

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SourceChanged(SourceError):
    """The version that was described is not there any more."""


class SourceTruncated(SourceError):
    """The source ended before the bytes that were promised."""


class SendStalled(DownloadError):
    """The client took nothing for the whole stall limit.

    Not a `TimeoutError`: Quart swallows that one while it sends and leaves the client waiting for ever.
    """


class FetchError(DownloadError):
    """A download could not be had from a server.

    `exit_code` is what a command ends with. The message is one line, without what is secret in a URL.
    """

    exit_code: int = 1


class NetworkError(FetchError):
    """The server cannot be reached, or the connection to it broke."""

    exit_code = 4


class NoSuchHost(NetworkError):
    """No host has the name. It is tried again only if it had one before."""


class Stalled(NetworkError):
    """Fewer bytes came than the floor of speed asks for, over the whole stall limit.

    Not a `TimeoutError`, for the reason that `SendStalled` has.
    """


class DeadlineExceeded(NetworkError):
    """The download took longer than it was allowed to."""


class TlsError(FetchError):
    """The certificate is not to be trusted, or the handshake failed. It is not tried again."""

    exit_code = 5


class BadStatus(FetchError):
    """The server answered with an error; `code` is its status."""

    exit_code: int = 8

    def __init__(self, code: int, message: str | None = None) -> None:
        super().__init__(message or f"the server answers {_phrase(code)}")
        self.code = code
        if code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}:
            self.exit_code = 6


def _phrase(code: int) -> str:
    """Return a status as people know it.

    >>> _phrase(404), _phrase(599)
    ('404 Not Found', '599')
    """
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


class BadResponse(FetchError):
    """The server broke HTTP or a promise of its own: another part than was asked for, another length, a coding."""

    exit_code = 7


class RemoteChanged(FetchError):
    """The representation was replaced on the server, too often or where a download cannot begin again."""

    exit_code = 7


class RefusedRedirect(FetchError):
    """A redirect is not to be followed: from https to http without leave, or one too many."""

    exit_code = 7


class DigestMismatch(FetchError):
    """All the bytes came, and they are not those that were promised. Both digests are like `sha256:HEX`."""

    exit_code = 9

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"the digest is {actual}, and should be {expected}")
        self.expected = expected
        self.actual = actual


class TargetBusy(FetchError):
    """Another process downloads to this file."""

    exit_code = 3


class DiskError(FetchError):
    """The file cannot be written: no room, no permission, no such folder, or it is a folder itself."""

    exit_code = 3


class RetriesExhausted(FetchError):
    """Each of `tries` failed in a way that might have passed; `last` says how the last one did."""

    def __init__(self, last: FetchError, *, tries: int) -> None:
        super().__init__(f"gave up after {tries} {'try' if tries == 1 else 'tries'}: {last}")
        self.last = last
        self.tries = tries
        self.exit_code: int = last.exit_code
