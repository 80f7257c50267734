"""What can be set: of the site (`Settings`) and of the process that serves it (`ServerSettings`).

The command line reads both from flags, `ASYNC_DOWNLOADS_*` variables and a TOML file, in this order.
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

from .sources.database.catalogue import Identifier
from .timeouts import STALL_TIMEOUT

__all__ = ["DATABASE_VARIABLES", "PREFIX", "ServerSettings", "Settings", "read_cache_control", "read_seconds"]


PREFIX: Final = "ASYNC_DOWNLOADS_"
DATABASE_VARIABLES: Final = (f"{PREFIX}DATABASE", "DATABASE_URL")  # the second is what many platforms set
_MOST_SECONDS: Final = 1_000_000  # more than eleven days; the kernel counts such times in milliseconds, in 32 bits
_FIELD_VALUE: Final = re.compile(r"[ -~]+")


def read_seconds(value: str, *, at_once: bool = False) -> float:
    """Read how long something may take, with `at_once` also 0. ValueError says what would be right."""
    with suppress(ValueError):
        seconds = float(value)
        if 0 < seconds <= _MOST_SECONDS or (at_once and not seconds):
            return seconds
    least = "from 0" if at_once else "above 0 and"
    raise ValueError(f"{value!r} is no number of seconds {least} up to {_MOST_SECONDS:,}")


def read_cache_control(value: str) -> str | None:
    """Read a value for Cache-Control; `none` is for no such field, and so is nothing at all.

    ValueError for one that would not be one line of printable ASCII.
    """
    value = value.strip(" ")
    if value in {"", "none"}:
        return None
    if not _FIELD_VALUE.fullmatch(value):
        raise ValueError(f"{value!r} is not printable ASCII in one line")
    return value


_YES_OR_NO: Final = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}
_READERS: Final[dict[object, Callable[[str], object]]] = {
    Path | None: Path,
    bool: lambda value: _YES_OR_NO[value.lower()],
    float: read_seconds,
    str | None: str,
    Identifier: lambda value: {choice: choice for choice in get_args(Identifier)}[value],
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What is served, and how.

    `directory` is the tree at `/`. `download_file` is one file, the rest are the folders of the download routes; each
    route is there when its setting is. `stall_timeout` is in seconds. `database` is the URL of the database whose files
    are at `/files/download/<id>`, `file_ids` says by which of their identifiers, and with `list_files` they are listed
    at `/files`.
    """

    directory: Path | None = None
    hidden: bool = False
    follow_symlinks: bool = False
    attachment: bool = False
    cache_control: str | None = "no-cache"
    stall_timeout: float = STALL_TIMEOUT
    download_file: Path | None = None
    download_images: Path | None = None
    client_images: Path | None = None
    client_csv: Path | None = None
    client_pdf: Path | None = None
    client_reports: Path | None = None
    pdf_examples: bool = False
    database: str | None = field(default=None, repr=False)  # it may hold a password
    file_ids: Identifier = "token"
    list_files: bool = False

    @classmethod
    def from_environment(cls) -> Self:
        """Read `ASYNC_DOWNLOADS_*` variables, for a server that imports the app by its name.

        ValueError, with the variable's name, for a value that is none.
        """
        found: dict[str, Any] = {}
        for setting in fields(cls):
            for name in _variables(setting.name):
                if value := os.environ.get(name):
                    found[setting.name] = _read(setting, name, value)
                    break
        return cls(**found)


def _variables(setting: str) -> tuple[str, ...]:
    return DATABASE_VARIABLES if setting == "database" else (PREFIX + setting.upper(),)


def _read(setting: Field[Any], name: str, value: str) -> object:
    read = read_cache_control if setting.name == "cache_control" else _READERS[setting.type]
    try:
        return read(value)
    except (KeyError, ValueError):
        raise ValueError(f"{name}={value!r} cannot be read") from None


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the process listens and ends; `drain_timeout` is in seconds."""

    bind: tuple[str, ...] = ("127.0.0.1:8000",)
    workers: int = 1
    loop: Literal["asyncio", "uvloop"] = "asyncio"
    certfile: Path | None = None
    keyfile: Path | None = None
    drain_timeout: float = 30.0
    access_log: Literal["none", "text", "json"] = "none"
