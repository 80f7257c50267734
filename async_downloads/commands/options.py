"""Make options from the rows of the table of settings, and read the values of options."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ..secret_files import read_secret
from ..setting_texts import read_whole_number, read_yes_or_no

if TYPE_CHECKING:  # the settings import the sources, which `get` does not need
    from ..config import Setting

__all__ = [
    "FILE",
    "FOLDER",
    "NOT_EMPTY",
    "STDIN",
    "SecretOption",
    "WholeNumber",
    "parse_each_with",
    "parse_with",
    "setting_option",
]


F = TypeVar("F", bound=Callable[..., Any])
STDIN: Final = Path("-")
FOLDER: Final = click.Path(exists=True, file_okay=False, readable=True, path_type=Path)
FILE: Final = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


class NotEmpty(click.types.StringParamType):
    """A text with at least one character. An empty one most likely comes from a shell variable that is not set."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the value is empty", param, ctx)
        return super().convert(value, param, ctx)


NOT_EMPTY: Final = NotEmpty()


class WholeNumber(click.IntRange):
    """A whole number in a range. Its error names the range, also if the text is no number."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return read_whole_number(str(value), least=int(self.min or 0), most=int(self.max or 0))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _YesOrNo(click.types.BoolParamType):
    """A switch whose text is read as `Settings.from_environment` reads it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        if isinstance(value, bool):
            return value
        try:
            return read_yes_or_no(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Each(click.types.StringParamType):
    """One value of a setting that is a list."""

    def __init__(self, row: "Setting") -> None:
        self._row = row

    def split_envvar_value(self, rv: str) -> tuple[str, ...]:
        return self._row.split(rv)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._row.read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class SecretOption(click.Option):
    """An option whose value can also be in a file: a variable with `_FILE` at its end names the file."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the first variable that is set. Raises BadParameter if it cannot be read."""
        names = [self.envvar] if isinstance(self.envvar, str) else self.envvar or ()
        try:
            return next(filter(None, map(read_secret, names)), None)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, self) from None


def setting_option(row: "Setting") -> Callable[[F], F]:
    """Declare the option for a setting. A variable and the TOML file can also set it."""
    flag = f"--{row.name.replace('_', '-')}"
    details: dict[str, Any] = {
        "envvar": row.variables,
        "show_default": row.default_help or row.default is not False,
        "help": row.help,
        "default": None if row.default_help else row.default,
    }
    if row.is_secret:
        details["cls"] = SecretOption
    if row.kind is bool:
        return click.option(f"{flag}/--no-{flag.removeprefix('--')}", type=_YesOrNo(), **details)
    return click.option(flag, *filter(None, [row.short]), **{**details, **_reading(row, details["default"])})


def _reading(row: "Setting", default: object) -> dict[str, Any]:
    """Return the arguments of `click.option` for a setting that is not a switch."""
    if row.choices:
        return {"type": click.Choice(row.choices)}
    if row.kind == Path | None:
        return {"type": FILE if row.is_file else FOLDER}
    if row.kind == tuple[str, ...]:
        return {"multiple": True, "type": _Each(row), "metavar": row.metavar}
    text = row.default_text or (default if default is None else _written(default))
    metavar = "SECONDS" if row.kind is float else row.metavar
    bare = {"is_flag": False, "flag_value": row.bare_value} if row.bare_value else {}
    return {"callback": parse_with(row.read), "default": text, "metavar": metavar, **bare}


def _written(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def parse_with(read: Callable[[str], object]) -> Callable[..., object]:
    """Return a callback for an option. `read` reads its text; the user sees the message of its ValueError."""

    def callback(context: click.Context, parameter: click.Parameter, value: str | None) -> object:
        if value is None:
            return None
        try:
            return read(value)
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from None

    return callback


def parse_each_with(read: Callable[[str], object]) -> Callable[..., object]:
    """Return a callback for an option that may be repeated; `read` reads each of its texts."""
    read_one = parse_with(read)

    def callback(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> object:
        return tuple(read_one(context, parameter, value) for value in values)

    return callback
