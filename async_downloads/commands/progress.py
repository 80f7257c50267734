"""Progress on a terminal: a bar for each transfer at the bottom, and lines above the bars.

rich is imported only when a bar is shown, because importing it takes longer than many transfers.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Final, Self, TextIO, cast

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import ProgressColumn, TaskID

__all__ = ["Bars", "progress", "speed_text"]


_STDERR: Final = 2
_NAME_CELLS: Final = 20  # the largest width of a name
_BAR_CELLS: Final = (10, 40)  # the smallest and the largest width of a bar
_BYTES_CELLS: Final = 16  # "50.0/100.0 MB" and the spaces between the columns
_STATUS_CELLS: Final = 25  # speed, connections and time left


class Bars:
    """The bars of standard error; `key` is the caller's name for a transfer.

    The caller's thread adds, changes and removes bars; a thread of rich draws them ten times a second.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._console = Console(file=cast("IO[str]", _IgnoreErrors(sys.stderr)))
        above = bool(sys.stdout and sys.stdout.isatty())  # then it is the same terminal as that of standard error
        columns = _columns(self._console.width)
        self._bars = Progress(*columns, console=self._console, transient=True, redirect_stdout=above)
        self._tasks: dict[int, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None", /
    ) -> None:
        self._bars.stop()

    def print(self, line: str) -> None:
        """Write a line above the bars."""
        self._console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def show(self, key: int, name: str, done: int, total: int | None, *, status: str, speed: float) -> None:
        """Show `done` of `total` bytes; the time left follows from `speed`, in bytes per second."""
        rest = _time_left(done, total, speed)
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(name, total=None, status=status, rest=rest)
        self._bars.update(self._tasks[key], description=name, total=total, completed=done, status=status, rest=rest)

    def remove(self, key: int) -> None:
        """Remove a bar, if it is there."""
        if key in self._tasks:
            self._bars.remove_task(self._tasks.pop(key))


class _IgnoreErrors:
    """A stream that ignores errors: if the terminal is closed, the transfer must not fail."""

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


def _columns(width: int) -> "tuple[ProgressColumn, ...]":
    """Return the columns for a terminal of `width` cells; a narrow one has no room for speed and time left."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn
    from rich.table import Column

    texts = [TextColumn("{task.fields[status]}"), TextColumn("{task.fields[rest]}")]
    room = width - _BYTES_CELLS - _STATUS_CELLS
    if room < 2 * _BAR_CELLS[0]:
        room, texts = width - _BYTES_CELLS, []
    name = min(max(room - _BAR_CELLS[0], 1), _NAME_CELLS)
    bar = min(max(room - name, _BAR_CELLS[0]), _BAR_CELLS[1])
    short = Column(no_wrap=True, overflow="ellipsis", max_width=name)
    shown = TextColumn("{task.description}", markup=False, table_column=short)
    return shown, BarColumn(bar), DownloadColumn(table_column=Column(no_wrap=True)), *texts


def speed_text(speed: float) -> str:
    """Return a speed, given in bytes per second, as text with a unit."""
    from rich.filesize import decimal

    return f"{decimal(int(speed))}/s"


def _time_left(done: int, total: int | None, speed: float) -> str:
    """Return the time left in hours, minutes and seconds."""
    if total is None or speed < 1:
        return "-:--:--"
    minutes, seconds = divmod(int((total - done) / speed), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


@contextmanager
def progress(name: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """Show one bar until the end of the block, and yield a function that takes the number of bytes of each step.

    If standard output is a terminal, too, lines written to `sys.stdout` appear above the bar. If standard error is no
    terminal, no bar is shown.
    """
    if not os.isatty(_STDERR):
        yield lambda _: None
        return
    done, begun = 0, time.monotonic()
    with Bars() as bars:

        def advance(count: int) -> None:
            nonlocal done
            done += count
            speed = done / max(time.monotonic() - begun, 0.001)
            bars.show(0, name, done, total, status=speed_text(speed), speed=speed)

        advance(0)
        yield advance
