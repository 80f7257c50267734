"""What a command says when something is wrong: one line, without passwords."""

import re
from typing import Final

import click

__all__ = ["INTERRUPTED", "UsageRefused", "print_error", "redacted"]


INTERRUPTED: Final = 130  # as a shell reports SIGINT
_PASSWORD: Final = re.compile(r"(?<=:)(?!//)\S+(?=@)|(?<=password=)[^&\s]+")  # in a URL


class UsageRefused(click.ClickException):
    """What was asked for cannot be done."""

    exit_code = 2


def redacted(error: Exception) -> str:
    """Return what an error says, in one line and without passwords.

    >>> redacted(ValueError("no server at\\npostgresql://me:secret@localhost/files"))
    'no server at; postgresql://me:***@localhost/files'
    """
    return _PASSWORD.sub("***", "; ".join(filter(None, map(str.strip, str(error).splitlines()))))


def print_error(message: str) -> None:
    """Say what is wrong, on standard error."""
    click.echo(f"async-downloads: {message}", err=True)
