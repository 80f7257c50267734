"""A program that runs beside a measurement and reports at the end.

It prints "ready" when it is ready, or the reason why it cannot run. It stops when its standard input ends, and then
prints its observations as JSON. It has its own process, so that a busy driver does not delay it.
"""

import json
import os
import subprocess
from types import TracebackType
from typing import Any, Final, Self

from benchmarks.process import ROOT, pinned
from benchmarks.servers.base import PYTHON
from benchmarks.settings import Unavailable

__all__ = ["LONGEST", "Companion", "say"]

LONGEST: Final = 120.0
"""Seconds after which a companion ends by itself, in case the harness is gone."""


class Companion:
    """A module that runs on a core from ``__enter__`` on."""

    def __init__(self, module: str, *arguments: object, core: int) -> None:
        with pinned(core):
            self._process = subprocess.Popen(
                [PYTHON, "-m", module, *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT,
                text=True,
                start_new_session=True,  # Ctrl-C is for the harness, which ends the companion itself
            )

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        if (line := self._process.stdout.readline().strip()) != "ready":
            self.__exit__(None, None, None)
            raise Unavailable(line or "a companion program ended early")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def finish(self, limit: float) -> Any:
        """Stop the companion and return its observations. Raises TimeoutExpired after ``limit`` seconds."""
        output, _ = self._process.communicate(timeout=limit)
        return json.loads(output)


def say(words: str) -> None:
    """Print. If the reader has gone, because the harness was interrupted, end without a message."""
    try:
        print(words, flush=True)
    except BrokenPipeError:
        os._exit(1)
