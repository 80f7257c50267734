"""`async-downloads hash-password`: make the hash of a password for `serve --auth-file`."""

import sys

import click

from .messages import CannotRun

__all__ = ["hash_password"]


@click.command("hash-password", short_help="Print the hash of a password for serve --auth-file.")
@click.argument("user", required=False)
def hash_password(user: str | None) -> None:
    """Print the hash of a password, or USER:HASH if you give a user.

    On a terminal, the command asks for the password twice and does not show it. Otherwise it reads the password from
    the first line of standard input. Add the printed line to the file that you give to serve --auth-file.
    """
    from ..access.accounts import hashed, split_account

    password = _asked() if sys.stdin.isatty() else _read()
    if not password:
        raise CannotRun("the password is empty")
    try:
        split_account(f"{'user' if user is None else user}:{password}")
    except ValueError as error:
        raise CannotRun(f"this user and this password cannot be used: {error}") from error
    if user and (":" in user or user.startswith("#") or user != user.strip()):
        raise CannotRun("the name of a user must not contain a colon, begin with #, or begin or end with a space")
    click.echo(f"{user}:{hashed(password)}" if user else hashed(password))


def _asked() -> str:
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _read() -> str:
    try:
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:  # in other locales, `split_account` finds such bytes
        raise CannotRun("the password is not UTF-8") from error
