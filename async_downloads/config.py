"""What can be set: of the site (`Settings`) and of the process that serves it (`ServerSettings`).

The command line reads both from flags, `ASYNC_DOWNLOADS_*` variables and a TOML file, in this order.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, Self

from .responder import STALL_TIMEOUT

__all__ = ["PREFIX", "ServerSettings", "Settings"]

PREFIX = "ASYNC_DOWNLOADS_"


def _seconds(value: str) -> float:
    seconds = float(value)
    if not 0 < seconds < math.inf:
        raise ValueError
    return seconds


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
    float: _seconds,
    str | None: str,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What is served, and how.

    `directory` is the tree at `/`. `download_file` is one file, the rest are the folders of the download routes; each
    route is there when its setting is. `stall_timeout` is in seconds.
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

    @classmethod
    def from_environment(cls) -> Self:
        """Read `ASYNC_DOWNLOADS_*` variables, for a server that imports the app by its name.

        ValueError, with the variable's name, for a value that is none.
        """
        found: dict[str, Any] = {}
        for field in fields(cls):
            name = PREFIX + field.name.upper()
            if value := os.environ.get(name):
                try:
                    found[field.name] = _READERS[field.type](value)
                except (KeyError, ValueError):
                    raise ValueError(f"{name}={value!r} cannot be read") from None
        return cls(**found)


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
