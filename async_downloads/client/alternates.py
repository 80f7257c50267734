"""One file that several servers have: the next of them is used if one fails."""

from collections.abc import Callable, Sequence
from typing import Unpack

from ..errors import DiskError, FetchError, TargetBusy
from .downloader import Downloader, StrPath
from .options import FetchOptions
from .reporter import Result

__all__ = ["fetch_any"]


async def fetch_any(
    downloader: Downloader,
    urls: Sequence[str],
    path: StrPath | None = None,
    *,
    on_failure: Callable[[str, FetchError], object] | None = None,
    **options: Unpack[FetchOptions],
) -> Result:
    """Download a file from the first of the URLs that can give it. The options are those of `Downloader.fetch`.

    The servers are asked one after the other. A server continues the part of an earlier one if it confirms the version,
    for example by an equal ETag. Otherwise the download begins again. `on_failure` gets each URL that failed and its
    error, but not the last one. A different digest counts as a failure of that server.

    Raises the FetchError of the last server, or at once an error of the local disk.
    """
    *others, last = urls
    for url in others:
        try:
            return await downloader.fetch(url, path, **options)
        except (DiskError, TargetBusy):
            raise
        except FetchError as error:
            if on_failure is not None:
                on_failure(url, error)
        options["continues"] = True
    return await downloader.fetch(last, path, **options)
