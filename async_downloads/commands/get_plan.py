"""The files that `get` downloads: those of the command line, of a Metalink file, and of folders (`-r`)."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from ..client import Downloader, Result
from ..client.disk.names import PAGE_NAME, file_name
from ..client.disk.targets import map_disk_errors
from ..client.reporter import ProgressListener
from ..errors import BadResponse, DiskError, FetchError
from ..threads import in_thread
from .get_folder_hint import hint_at_folder
from .get_lists import read_checksums, read_metalink
from .get_options import STDOUT, GetOptions, UrlItem
from .get_output import Display
from .get_stdout import stream
from .redaction import is_url

__all__ = ["GetPlan", "Task"]


if TYPE_CHECKING:
    from ..client.checksum_list import ChecksumList
    from ..client.folders.mirror import Mirror
    from ..client.folders.walk import RemoteFile, UnreadableFolder

_NOT_A_URL: Final = "not a URL: it must begin with http:// or https:// and have a host"


@dataclass(frozen=True, slots=True)
class Task:
    """One download: `fetch` runs it and reports its progress."""

    item: UrlItem
    fetch: Callable[[ProgressListener], Awaitable[Result]]


class GetPlan:
    """Makes the tasks of one command, one after the other: a folder is listed while its first files arrive."""

    def __init__(self, options: GetOptions, downloader: Downloader, display: Display) -> None:
        self._options = options
        self._downloader = downloader
        self._display = display
        self._indexes = count()
        self._checksums: ChecksumList | None = None
        self._taken: set[Path] = set()

    async def tasks(self) -> AsyncGenerator[Task]:
        """Yield a task for each file. Raises FetchError or CannotRun if a list cannot be read."""
        options = self._options
        if options.checksums:
            self._checksums = await read_checksums(options.checksums, self._downloader)
        # Before the first task: a list that cannot be read ends the command, and would cancel what is running.
        listed = await self._listed()
        for item in options.items:
            if not options.recursive:
                yield self._file(item)
                continue
            async with aclosing(self._folder(item)) as tasks:
                async for task in tasks:
                    yield task
        for item in listed:
            yield self._file(item)

    async def _listed(self) -> tuple[UrlItem, ...]:
        if not self._options.metalink:
            return ()
        return await read_metalink(self._options.metalink, self._options.directory or Path(), self._downloader)

    def _file(self, item: UrlItem) -> Task:
        item = replace(item, index=next(self._indexes))
        if not is_url(item.url):
            return _failing(item, ValueError(_NOT_A_URL))
        if self._options.keep_directories:
            try:
                item = replace(item, path=item.directory / _path_of(item.url), makes_folders=True)
            except DiskError as error:  # a name is too long
                return _failing(item, error)
        if item.path in self._taken:
            return _failing(item, ValueError(f"{item.path} is already the file of another URL"))
        if item.path is not None:
            self._taken.add(item.path)
        return Task(item, partial(self._fetch, item))

    async def _fetch(self, item: UrlItem, report: ProgressListener) -> Result:
        item = replace(item, checksum=item.checksum or self._checksum(item))
        if item.path == STDOUT:
            return await stream(self._downloader, item, self._options, report)
        if item.makes_folders:
            await in_thread(partial(_make_folder, item.path.parent if item.path else item.directory))
        result = await self._downloader.fetch(
            item.url,
            item.path,
            mirrors=item.alternates,
            on_mirror_failure=partial(self._display.replaced, item),
            directory=item.directory,
            checksum=item.checksum,
            overwrite=self._options.overwrite or (False if item.is_listed else None),
            resume=self._options.resume,
            continues=self._options.continues,
            timestamping=self._options.timestamping,
            dated=self._options.dated,
            on_progress=report,
        )
        await hint_at_folder(item, result, self._display)
        return result

    def _checksum(self, item: UrlItem) -> str | None:
        """Return the checksum of a file in the list of `--checksums`. Raises ValueError if there is none."""
        if self._checksums is None:
            return None
        by_url = unquote(urlsplit(item.url).path)
        if item.path in {None, STDOUT} or self._options.keep_directories:
            return str(self._checksums.find(by_url))
        try:
            return str(self._checksums.find(str(item.path)))
        except ValueError:  # the user may have given the file another name than the list
            return str(self._checksums.find(by_url))

    async def _folder(self, item: UrlItem) -> AsyncGenerator[Task]:
        """Yield the files of a folder; a folder that cannot be listed is a task that fails."""
        from ..client.document import read_document
        from ..client.folders.listing import NotAListing, check_media_type
        from ..client.folders.mirror import Mirror
        from ..client.folders.walk import LISTING, Selection, walk

        if not is_url(item.url):
            yield _failing(replace(item, index=next(self._indexes)), ValueError(_NOT_A_URL))
            return
        mirror = Mirror(self._downloader, self._target(item))
        selection = Selection(self._options.include, self._options.exclude)
        read = partial(read_document, self._downloader, accept=LISTING, check_media_type=check_media_type)
        try:
            async with aclosing(walk(read, item.url, selection)) as all_found:
                async for found in all_found:
                    yield self._found(found, mirror)
        except NotAListing as error:
            advice = BadResponse(f"{error}: leave out -r to download this URL as a file")
            yield _failing(replace(item, index=next(self._indexes)), advice)
        except (FetchError, ValueError) as error:
            yield _failing(replace(item, index=next(self._indexes)), error)

    def _target(self, item: UrlItem) -> Path:
        """Return the local folder: `-d`, or a folder with the name of the remote one."""
        directory = self._options.directory or Path()
        if self._options.keep_directories:
            path = directory / _path_of(item.url)
            return path.parent if path.name == PAGE_NAME else path
        if self._options.directory is not None:
            return directory
        last = urlsplit(item.url).path.rstrip("/").rpartition("/")[2] or urlsplit(item.url).hostname or ""
        return Path(file_name(None, f"http://host/{last}"))

    def _found(self, found: "RemoteFile | UnreadableFolder", mirror: "Mirror") -> Task:
        """Return the task for a file. It fails if the file has no safe path, or if its folder could not be listed."""
        from ..client.folders.walk import UnreadableFolder

        if isinstance(found, UnreadableFolder):
            return _failing(UrlItem(index=next(self._indexes), url=found.url), found.error)
        item = UrlItem(index=next(self._indexes), url=found.entry.url)
        try:
            path = mirror.path(found)
            if self._checksums:
                expected = str(self._checksums.find("/".join(found.segments)))
                found = replace(found, entry=replace(found.entry, digest=expected))
        except (FetchError, ValueError) as error:
            return _failing(item, error)
        if path in self._taken:
            return _failing(item, ValueError(f"{path} is already the name of another file"))
        self._taken.add(path)
        return Task(item, partial(self._copy, mirror, found))

    async def _copy(self, mirror: "Mirror", found: "RemoteFile", report: ProgressListener) -> Result:
        options = self._options
        return await mirror.fetch(found, resume=options.resume, dated=options.dated, on_progress=report)


def _failing(item: UrlItem, error: Exception) -> Task:
    async def fail(_: ProgressListener) -> Result:
        raise error

    return Task(item, fail)


def _path_of(url: str) -> Path:
    """Return the host and the path of a URL as a relative path, as `wget -x` does."""
    from ..client.folders.mirror import local_path

    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].replace(":", "_")
    names = [unquote(each, errors="surrogateescape") for each in parts.path.split("/")]
    last = names.pop() or PAGE_NAME
    return local_path((host, *(each for each in names if each not in {"", "."}), last))


def _make_folder(path: Path) -> None:
    with map_disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
