"""The hint of `get` for a saved page that lists a folder: the user most likely wants the files of the folder."""

import re
from pathlib import Path
from typing import Final

from ..client import Result
from ..threads import in_thread
from .get_options import UrlItem
from .get_output import Display

__all__ = ["hint_at_folder"]


_BEGIN_BYTES: Final = 64 * 1024
# The titles of our page and of those that nginx, Apache, lighttpd and Python's http.server make.
_TITLE: Final = re.compile(rb"<title>\s*(?:index of|directory listing for) /", re.IGNORECASE)
_ZIP_BUTTON: Final = b'<button name="zip"'  # our page has it if the folder is not empty


async def hint_at_folder(item: UrlItem, result: Result, display: Display) -> None:
    """Say how to get the files if a server named the file, and it is the page of a folder.

    Only the saved page is read: the URL may be good for one request only.
    """
    if item.path is not None or result.unchanged:
        return
    page = await in_thread(lambda: _begin_of(result.path))
    if _TITLE.search(page):
        archive = ", or end the URL with ?zip to get an archive" if _ZIP_BUTTON in page else ""
        display.hint(f"{result.path} is the page of a folder: use -r to download the files{archive}")


def _begin_of(path: Path) -> bytes:
    """Return the first bytes of a file; none if it is gone or cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(_BEGIN_BYTES)
    except OSError:
        return b""
