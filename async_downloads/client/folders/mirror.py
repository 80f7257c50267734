"""Download the files of a server's folder into a local folder, and never write outside it."""

import os
import stat
import unicodedata
from functools import partial
from pathlib import Path

from ...errors import DiskError
from ...semantics.representation import Validators
from ...threads import in_thread
from ..disk.names import MAX_NAME_BYTES, has_own_suffix
from ..disk.targets import map_disk_errors
from ..downloader import Downloader
from ..reporter import ProgressListener, Result
from .listing import ListedEntry
from .walk import RemoteFile

__all__ = ["Mirror", "local_path"]


def local_path(segments: tuple[str, ...]) -> Path:
    r"""Return the relative path of a file. Names are changed only if they are dangerous, such as those of part files.

    Raises DiskError if a name is too long for most file systems.

    >>> local_path(("a", "b.part")).as_posix(), local_path(("..\\x\n",)).as_posix()
    ('a/b.part_', '.._x_')
    """
    return Path(*map(_local_name, segments))


def _local_name(name: str) -> str:
    name = "".join("_" if each in "/\\" or unicodedata.category(each) in {"Cc", "Cf"} else each for each in name)
    name = f"{name}_" if has_own_suffix(name) or name in {"", ".", ".."} else name
    if len(os.fsencode(name)) > MAX_NAME_BYTES:
        raise DiskError(f"the name has more than {MAX_NAME_BYTES} bytes: {name[:20]}…")
    return name


class Mirror:
    """The local copy of a server's folder, below `target`."""

    def __init__(self, downloader: Downloader, target: Path) -> None:
        self._downloader = downloader
        self._target = target

    def path(self, file: RemoteFile) -> Path:
        """Return the local path of a file. Raises DiskError if it cannot be stored under its name."""
        return self._target / local_path(file.segments)

    async def fetch(
        self, file: RemoteFile, *, resume: bool = True, dated: bool = True, on_progress: ProgressListener | None = None
    ) -> Result:
        """Download a file unless the local one is the same.

        If the listing has a digest, only the digest decides. Otherwise size and time decide, if the listing has both.
        Otherwise a conditional request asks the server. Raises FetchError.
        """
        path = self.path(file)
        if await in_thread(partial(self._is_current, path, file.entry)) and resume:
            return Result(path, file.entry.size or 0, 0, 0, Validators(), None, unchanged=True)
        return await self._downloader.fetch(
            file.entry.url,
            path,
            checksum=file.entry.digest,
            resume=resume,
            timestamping=True,
            dated=dated,
            on_progress=on_progress,
        )

    def _is_current(self, path: Path, entry: ListedEntry) -> bool:
        """Make the folder of a file. Return whether the file there has the size and the time of the listing."""
        with map_disk_errors(path):
            self._refuse_outside(path)
            path.parent.mkdir(parents=True, exist_ok=True)
        if entry.digest is not None or entry.size is None or entry.modified is None:
            return False
        try:
            status = os.lstat(path)
        except OSError:
            return False
        same = (status.st_size, int(status.st_mtime // 1)) == (entry.size, entry.modified)
        return same and stat.S_ISREG(status.st_mode)

    def _refuse_outside(self, path: Path) -> None:
        """Raise DiskError if a symbolic link in the local folder leads out of it."""
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self._target)):
            raise DiskError(f"{path}: a symbolic link leads out of {self._target}")
