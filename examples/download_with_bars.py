"""Download several files at the same time, with a bar for each.

    python download_with_bars.py https://example.com/a.iso https://example.com/b.iso

The files are saved in the current folder. If the program is interrupted, the same command continues the downloads.
"""

import asyncio
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from async_downloads.client import Downloader, FetchError, Progress

AT_ONCE = 5  # files


def new_bars(console: Console) -> Bars:
    """Return an empty display: name, bar, size, speed and time that is left for each file."""
    name = TextColumn("{task.description}")
    return Bars(name, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(), console=console)


async def download_all(urls: Sequence[str], console: Console) -> int:
    """Download each URL; return the number of downloads that failed."""
    tasks: dict[str, TaskID] = {}
    with new_bars(console) as bars:

        def show(progress: Progress) -> None:
            if progress.url not in tasks:
                tasks[progress.url] = bars.add_task(progress.name, total=None)
            bars.update(tasks[progress.url], description=progress.name, completed=progress.done, total=progress.total)

        async with Downloader() as downloader:
            results = await downloader.fetch_all([(url, None) for url in urls], limit=AT_ONCE, on_progress=show)
    failures = [(url, result) for url, result in zip(urls, results, strict=True) if isinstance(result, FetchError)]
    for url, failure in failures:
        console.print(f"{url}: {failure}", markup=False, highlight=False)
    return len(failures)


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("usage: python download_with_bars.py URL...")
    sys.exit(1 if asyncio.run(download_all(sys.argv[1:], Console())) else 0)
