"""How settings are called in the environment, and how the text of some of them is read."""

import re
from contextlib import suppress
from typing import Final

__all__ = ["DATABASE_VARIABLES", "PREFIX", "read_cache_control", "read_seconds"]

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
