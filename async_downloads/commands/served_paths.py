"""The argument of `serve`: files and folders, or a bucket."""

import os
import re
from pathlib import Path
from typing import Any, Final

import click

from ..sources.object_urls import check_object_url, is_object_url, path_of

__all__ = ["PATHS"]


_ADDRESS: Final = re.compile(r"(?:[\w.-]*:)?[0-9]{1,5}")  # a port or an address: http.server takes a port as argument
_WEB_URL: Final = re.compile("https?://", re.IGNORECASE)


class _Paths(click.Path):
    """A file, a folder, or the URL of a bucket.

    A variable has one of them in each line, because names may contain spaces and colons.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not is_object_url(str(value)):
            if _ADDRESS.fullmatch(str(value)) and not os.path.exists(value):
                flag = "-b" if ":" in str(value) else "-p"
                self.fail(f"there is no file or folder {value}: use {flag} {value} to set the port", param, ctx)
            if _WEB_URL.match(str(value)):
                self.fail(f"{value} is a URL: use get {value} to download it", param, ctx)
            if not os.path.lexists(value):
                self.fail(f"there is no file or folder {str(value)!r}: name one that exists", param, ctx)
            return super().convert(path_of(str(value)) or value, param, ctx)
        try:
            check_object_url(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value

    def split_envvar_value(self, rv: str) -> tuple[str, ...]:
        return tuple(filter(None, rv.split("\n")))


PATHS: Final = _Paths(exists=True, readable=True, path_type=Path)
