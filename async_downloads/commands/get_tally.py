"""The sum of several downloads: for the bar while they run, and for the last line."""

import time
from typing import TYPE_CHECKING

from .get_options import UrlItem
from .progress import speed_text

__all__ = ["RunningTotal", "Tally"]


if TYPE_CHECKING:
    from ..client import Progress, Result


class Tally:
    """Counts the downloads that ended."""

    def __init__(self) -> None:
        self.downloaded: int = 0
        self.unchanged: int = 0
        self.failed: int = 0
        self.size: int = 0  # bytes of the files that were downloaded
        self.transferred: int = 0  # bytes that arrived in this run: some twice; those of earlier runs are not counted
        self.last_failed: str = ""
        self._begun = time.monotonic()

    @property
    def complete(self) -> int:
        """How many files are complete."""
        return self.downloaded + self.unchanged

    @property
    def files(self) -> int:
        """How many downloads ended."""
        return self.complete + self.failed

    def add(self, result: "Result") -> None:
        """Count a file that is complete."""
        self.unchanged += result.unchanged
        self.downloaded += not result.unchanged
        self.size += 0 if result.unchanged else result.size
        self.transferred += result.transferred

    def add_failure(self, item: UrlItem) -> None:
        """Count a download that failed."""
        self.failed += 1
        self.last_failed = item.public

    def as_dict(self) -> dict[str, object]:
        """Return the counts for the JSON output."""
        return {
            "files": self.files,
            "downloaded": self.downloaded,
            "unchanged": self.unchanged,
            "failed": self.failed,
            "size": self.size,
            "transferred": self.transferred,
            "seconds": time.monotonic() - self._begun,
            "last_failed": self.last_failed,
        }

    def __str__(self) -> str:
        from rich.filesize import decimal

        seconds = time.monotonic() - self._begun
        speed = speed_text(self.transferred / max(seconds, 0.001))
        unchanged = f", {self.unchanged:,} already complete" if self.unchanged else ""
        failed = f", {self.failed:,} failed, last {self.last_failed}" if self.failed else ""
        moved = f", {decimal(self.size)} in {seconds:.1f} s ({speed})" if self.size else ""
        files = f"{self.files:,} {'file' if self.files == 1 else 'files'}"
        return f"{files}: {self.downloaded:,} downloaded{moved}{unchanged}{failed}"


class RunningTotal:
    """The bytes of all downloads that have ended or are running; `files` counts both."""

    def __init__(self) -> None:
        self._ended = self._ended_bytes = 0
        self._running: dict[int, Progress] = {}

    def advance(self, index: int, progress: "Progress") -> None:
        """Record the progress of a download."""
        self._running[index] = progress

    def end(self, index: int) -> None:
        """Record that a download ended."""
        self._ended += 1
        if last := self._running.pop(index, None):
            self._ended_bytes += last.done

    @property
    def files(self) -> int:
        """How many downloads have ended or are running."""
        return self._ended + len(self._running)

    @property
    def name(self) -> str:
        """The name of the bar."""
        return f"total, {self._ended:,} done"

    @property
    def done(self) -> int:
        """The bytes that are held."""
        return self._ended_bytes + sum(each.done for each in self._running.values())

    @property
    def speed(self) -> float:
        """The speed of all downloads together, in bytes per second."""
        return sum(each.speed for each in self._running.values())
