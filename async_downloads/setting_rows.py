"""The rows of the table of settings: the attributes of each row, and how its text is read."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_origin

from .secret_files import read_secret
from .setting_texts import read_choice, read_seconds, read_yes_or_no

__all__ = ["PREFIX", "Setting", "from_environment", "row", "table"]


T = TypeVar("T")
PREFIX: Final = "ASYNC_DOWNLOADS_"
_READERS: Final[dict[object, Callable[[str], object]]] = {
    Path | None: Path,
    bool: read_yes_or_no,
    float: read_seconds,
    str | None: str,
    tuple[str, ...]: str,  # each one of them
    tuple[Path, ...]: Path,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A row of the table.

    `default_help` describes a default that is only known at run time. `default_text` is the default as a user would
    write it. `is_file` says whether a path is a file or a folder. `reader` reads the text if the type alone does not
    say how. `variables` are environment variables; the first one that is not empty is used. `separator` stands between
    the values of a list in a variable; None means any white space. `bare_value` is the text of an option without a
    value. With `is_secret`, the value can also be in a file, which the variable with `_FILE` at its end names. Without
    `is_shown`, no message contains the value.
    """

    name: str
    kind: object
    default: Any
    help: str
    short: str = ""
    metavar: str | None = None
    default_help: str | None = None
    default_text: str | None = None
    is_file: bool = False
    reader: Callable[[str], object] | None = None
    variables: tuple[str, ...] = ()
    separator: str | None = None
    bare_value: str | None = None
    is_secret: bool = False
    is_shown: bool = True

    def __post_init__(self) -> None:
        if not self.variables:
            object.__setattr__(self, "variables", (PREFIX + self.name.upper(),))

    @property
    def is_list(self) -> bool:
        """Whether the setting may have several values."""
        return get_origin(self.kind) is tuple

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed words; () if any text may be given."""
        return get_args(self.kind) if all(isinstance(each, str) for each in get_args(self.kind)) else ()

    def read(self, text: str) -> object:
        """Read the value from text. Raises ValueError, with a message for the user, if it cannot be read."""
        if self.choices:
            return read_choice(text, choices=self.choices)
        return (self.reader or _READERS[self.kind])(text)

    def read_variable(self, text: str) -> object:
        """Read the value from an environment variable, which may hold a list. Raises ValueError as `read` does."""
        if not self.is_list:
            return self.read(text)
        return tuple(map(self.read, self.split(text)))

    def split(self, text: str) -> tuple[str, ...]:
        """Return the texts of a list that an environment variable holds."""
        return tuple(each for each in text.split(self.separator) if each.strip())


def table(kind: type[Any]) -> tuple[Setting, ...]:
    """Return the rows of a class of settings, in its order."""
    return tuple(
        Setting(name=each.name, kind=each.type, default=each.default, is_shown=each.repr, **each.metadata)
        for each in fields(kind)
    )


def row(default: T, help: str, *, repr: bool = True, **details: Any) -> T:  # noqa: A002 - the names of field and click
    """Declare a setting, as an attribute of a dataclass; `details` are the other attributes of `Setting`."""
    described: T = field(default=default, repr=repr, metadata={"help": help, **details})
    return described


def from_environment(row: Setting) -> list[Any]:
    """Return a list that contains the value of a row; an empty list if no variable is set.

    Raises ValueError, with the variable's name, if the value cannot be read.
    """
    for name in row.variables:
        if text := read_secret(name) if row.is_secret else os.environ.get(name):
            try:
                return [row.read_variable(text)]
            except ValueError as error:
                shown = f"{name}={text!r}" if row.is_shown else name
                raise ValueError(f"{shown} cannot be read: {error}") from None
    return []
