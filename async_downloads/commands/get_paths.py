"""The type of the options of `get` that take a path."""

import shlex
from pathlib import Path
from typing import Any

import click

__all__ = ["GivenPath"]


class GivenPath(click.Path):
    """A path, which need not exist. With `is_file`, a path that ends with a slash is an error: it names a folder.

    `Path` would make "" the working directory, and would drop the slash.
    """

    def __init__(self, *, is_file: bool = False) -> None:
        super().__init__(path_type=Path, readable=False)  # a file that will be replaced need not be readable
        self._is_file = is_file

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        if not text:
            self.fail("the value is empty", param, ctx)
        if self._is_file and text.endswith("/"):
            self.fail(f"{text} is a folder: use -d {shlex.quote(text)} to save in it", param, ctx)
        return super().convert(value, param, ctx)
