"""How the text of an option is read, and what the user is told when it cannot be."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

__all__ = ["STDIN", "Whole", "reading", "reading_each"]


STDIN: Final = Path("-")


class Whole(click.IntRange):
    """A whole number; whoever gives another thing is told in words what is wanted."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least, most)
        self.name: str = f"whole number from {least} to {most}"


def reading(read: Callable[[str], object]) -> Callable[..., object]:
    """Return a callback for an option whose text a function reads; its ValueError tells the user what is wrong."""

    def callback(context: click.Context, parameter: click.Parameter, value: str | None) -> object:
        if value is None:
            return None
        try:
            return read(value)
        except ValueError as error:
            raise click.BadParameter(f"{error}.", context, parameter) from None

    return callback


def reading_each(read: Callable[[str], object]) -> Callable[..., object]:
    """Return the same for an option that may be repeated."""
    read_one = reading(read)

    def callback(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> object:
        return tuple(read_one(context, parameter, value) for value in values)

    return callback
