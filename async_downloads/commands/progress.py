"""How far something is: a bar on a terminal, nothing elsewhere."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

__all__ = ["progress"]


_STDERR: Final = 2
_WIDTH: Final = 22  # columns of the name, and of the bar: with the numbers that makes 80


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """Show a bar on standard error until the end of the block, and yield what is to be given each count of bytes.

    What is written to `sys.stdout` meanwhile goes above the bar when both are terminals.
    """
    if not os.isatty(_STDERR):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.table import Column

    narrow = Column(no_wrap=True, overflow="ellipsis", max_width=_WIDTH)
    name = TextColumn("{task.description}", markup=False, table_column=narrow)
    columns = (name, BarColumn(_WIDTH), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    above = sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=above) as bars:
        yield partial(bars.advance, bars.add_task(what, total=total))
