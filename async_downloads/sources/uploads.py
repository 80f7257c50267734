"""Files that clients have uploaded, as a view gets them from its framework: in memory if small, else on the disk."""

import io
from tempfile import SpooledTemporaryFile
from typing import Final

__all__ = ["unwrapped"]


_FILES: Final = ("file", "stream")  # attributes of the uploads of Starlette, then of Werkzeug and Quart
_OF_UPLOADS: Final = ("headers", "filename")  # in this order: Python 3.11 warns if a program reads `GzipFile.filename`


def unwrapped(given: object) -> object:
    """Return the file in an upload or in a SpooledTemporaryFile, which can seek. Return any other object unchanged.

    The file is needed because frameworks close an upload when the view has returned, before the response is sent. An
    object without the attributes of an upload may change the bytes of the file that it reads, for example decrypt them.
    """
    if all(hasattr(given, name) for name in _OF_UPLOADS):
        files = (getattr(given, name, None) for name in _FILES)
        given = next(filter(_can_seek, files), given)
    return given._file if isinstance(given, SpooledTemporaryFile) else given


def _can_seek(file: object) -> bool:
    """Return whether the file is in memory or on the disk, and not a wrapper that changes its bytes."""
    return isinstance(file, (io.BytesIO, SpooledTemporaryFile)) or isinstance(getattr(file, "raw", None), io.FileIO)
