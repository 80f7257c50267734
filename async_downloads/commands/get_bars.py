"""What `get` shows on a terminal: a bar for each download that is under way, below the lines."""

import re
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final, Self, TextIO, cast

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, ProgressColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress
from rich.table import Column

from .get_output import Lines, UrlItem

__all__ = ["Bars"]


if TYPE_CHECKING:
    from types import TracebackType

    from ..client import Progress, Result


_NAME: Final = 20  # cells that a name takes where there is room
_BAR: Final = (10, 40)  # cells that a bar takes, at least and at most
_BYTES: Final = 16  # cells for how many bytes there are of how many, and what is between the columns
_OTHERS: Final = 25  # cells for speed, connections and time left
_WAIT: Final = re.compile(r"\bagain (in \d+ s)\b")  # in a note


class Bars(Lines):
    """Shows name, bytes, speed, connections and time left of each download, and tells the rest in lines above."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(file=cast("IO[str]", _Lasting(sys.stderr)))
        columns = _columns(self._console.width)
        self._bars = RichProgress(*columns, console=self._console, transient=True, redirect_stdout=False)
        self._tasks: dict[int, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None", /
    ) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def progress(self, wanted: UrlItem, progress: "Progress", /) -> None:
        super().progress(wanted, progress)
        name, speed, rest = progress.name or wanted.public, _speed(progress), _rest(progress)
        task = self._tasks.get(wanted.index)
        if task is None:
            task = self._tasks[wanted.index] = self._bars.add_task(name, total=None, speed=speed, rest=rest)
        self._bars.update(task, description=name, total=progress.total, completed=progress.done, speed=speed, rest=rest)

    def finished(self, wanted: UrlItem, result: "Result", /) -> None:
        self._remove(wanted)
        super().finished(wanted, result)

    def failed(self, wanted: UrlItem, error: Exception, code: int, /) -> None:
        self._remove(wanted)
        super().failed(wanted, error, code)

    def _remove(self, wanted: UrlItem) -> None:
        if wanted.index in self._tasks:
            self._bars.remove_task(self._tasks.pop(wanted.index))


class _Lasting:
    """A stream to a terminal that may go away: that is no reason to lose a download."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _columns(width: int) -> tuple[ProgressColumn, ...]:
    """Return what is shown of a download on a terminal of so many cells: in a narrow one, no speed and time left."""
    texts = [TextColumn("{task.fields[speed]}"), TextColumn("{task.fields[rest]}")]
    room = width - _BYTES - _OTHERS
    if room < 2 * _BAR[0]:
        room, texts = width - _BYTES, []
    name = min(max(room - _BAR[0], 1), _NAME)
    bar = min(max(room - name, _BAR[0]), _BAR[1])
    short = Column(no_wrap=True, overflow="ellipsis", max_width=name)
    shown = TextColumn("{task.description}", markup=False, table_column=short)
    return shown, BarColumn(bar), DownloadColumn(table_column=Column(no_wrap=True)), *texts


def _speed(progress: "Progress") -> str:
    """Say how fast a download goes and over how many connections, or what it does instead.

    It is the speed of what came in this run; a bar's own would count what was there before.
    """
    if progress.state != "downloading":
        wait = _WAIT.search(progress.note)
        return f"{progress.state} {wait[1]}" if wait else progress.state
    return f"{decimal(int(progress.speed))}/s x{max(len(progress.segments), 1)}"


def _rest(progress: "Progress") -> str:
    """Say how long it will take from here on, in hours, minutes and seconds."""
    if progress.total is None or progress.speed < 1:
        return "-:--:--"
    minutes, seconds = divmod(int((progress.total - progress.done) / progress.speed), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
