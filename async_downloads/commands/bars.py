"""What `get` shows on a terminal: a bar for each download that is under way, below the lines."""

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress
from rich.table import Column

from .showing import Lines, Wanted

if TYPE_CHECKING:
    from types import TracebackType

    from ..client import Progress, Result

__all__ = ["Bars"]

_NAME: Final = 20  # columns; with the bar and the numbers that makes less than 80
_BAR: Final = 14


class Bars(Lines):
    """Shows name, bytes, speed, connections and time left of each download, and tells the rest in lines above."""

    def __init__(self) -> None:
        super().__init__()
        narrow = Column(no_wrap=True, overflow="ellipsis", max_width=_NAME)
        name = TextColumn("{task.description}", markup=False, table_column=narrow)
        numbers = (DownloadColumn(), TextColumn("{task.fields[speed]}"), TextColumn("{task.fields[rest]}"))
        self._console = Console(stderr=True)
        self._bars = RichProgress(
            name, BarColumn(_BAR), *numbers, console=self._console, transient=True, redirect_stdout=False
        )
        self._tasks: dict[int, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None", /
    ) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        with suppress(OSError):
            self._console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def progress(self, wanted: Wanted, progress: "Progress", /) -> None:
        super().progress(wanted, progress)
        name, speed, rest = progress.name or wanted.public, _speed(progress), _rest(progress)
        task = self._tasks.get(wanted.index)
        if task is None:
            task = self._tasks[wanted.index] = self._bars.add_task(name, total=None, speed=speed, rest=rest)
        self._bars.update(task, description=name, total=progress.total, completed=progress.done, speed=speed, rest=rest)

    def finished(self, wanted: Wanted, result: "Result", /) -> None:
        self._remove(wanted)
        super().finished(wanted, result)

    def failed(self, wanted: Wanted, error: Exception, code: int, /) -> None:
        self._remove(wanted)
        super().failed(wanted, error, code)

    def _remove(self, wanted: Wanted) -> None:
        if wanted.index in self._tasks:
            self._bars.remove_task(self._tasks.pop(wanted.index))


def _speed(progress: "Progress") -> str:
    """Say how fast a download goes and over how many connections, or what it does instead.

    It is the speed of what came in this run; a bar's own would count what was there before.
    """
    if progress.state != "downloading":
        return progress.state
    return f"{decimal(int(progress.speed))}/s x{max(len(progress.segments), 1)}"


def _rest(progress: "Progress") -> str:
    """Say how long it will take from here on, in hours, minutes and seconds."""
    if progress.total is None or progress.speed < 1:
        return "-:--:--"
    minutes, seconds = divmod(int((progress.total - progress.done) / progress.speed), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
