"""The messages of a command, each one line on standard error, and the exit codes that belong to them."""

from contextlib import suppress
from typing import Final

import click

__all__ = ["INTERRUPTED", "CannotRun", "print_error", "print_line"]


INTERRUPTED: Final = 130  # as a shell reports SIGINT


class CannotRun(click.ClickException):
    """The command cannot run with these options or files."""

    exit_code = 2


def print_line(line: str) -> None:
    """Write a line to standard error. It is lost if standard error is closed or full; the command continues."""
    with suppress(OSError):
        click.echo(line, err=True)


def print_error(message: str) -> None:
    """Write a message, with the name of the program, to standard error."""
    print_line(f"async-downloads: {message}")
