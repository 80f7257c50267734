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
    └── SendStalled                the client took nothing for too long

304, 412 and 416 are plans, not errors. A message is for the operator's log; a client is told the status alone.
"""

from typing import ClassVar

__all__ = [
    "AlreadyThere",
    "DownloadError",
    "Forbidden",
    "IsDirectory",
    "NotFound",
    "SendStalled",
    "SourceBusy",
    "SourceChanged",
    "SourceError",
    "SourceTruncated",
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
