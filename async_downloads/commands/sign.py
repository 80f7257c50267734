"""`async-downloads sign`: make a link that works without a password until it expires."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

import click

from ..config import Settings, table
from ..errors import DownloadError
from ..sources.object_urls import check_object_url, is_object_url
from .messages import CannotRun
from .options import parse_with, setting_option
from .redaction import redacted

__all__ = ["sign"]


_SECRET: Final = replace(
    next(row for row in table(Settings) if row.name == "secret"),
    help="The secret of the server. Better set ASYNC_DOWNLOADS_SECRET, because other users of the machine can see "
    "options. If there are several secrets, with commas between them, the first one signs.",
    default_help=None,
)
_DURATION: Final = re.compile(r"(\d{1,9})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _read_duration(text: str) -> timedelta:
    """Read a duration such as 7d. Raises ValueError, with a message for the user, if it is none."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a duration such as 30m, 12h, 7d or 4w")
    try:
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        raise ValueError(f"{text!r} is too long") from None


@click.command()
@click.argument("url")
@click.option(
    "--expires",
    metavar="DURATION",
    required=True,
    callback=parse_with(_read_duration),
    help="How long the link works, in seconds, minutes, hours, days or weeks: 90s, 30m, 12h, 7d, 4w.",
)
@click.option("--ip", metavar="ADDRESS", help="Only this address, or this network (192.0.2.0/24), can use the link.")
@click.option("--name", metavar="FILENAME", help="The name under which browsers save the file.")
@setting_option(_SECRET)
def sign(url: str, expires: timedelta, ip: str | None, name: str | None, secret: str | None) -> None:
    """Print a URL that works without a password until it expires.

    URL names a file, an archive (http://host/photos/?zip), a file in the database, or a folder and everything below it
    (http://host/photos/*). The server must have the same secret, and it must ask for passwords (serve --auth). If a
    user changes any part of the link, the server refuses it.

    URL can also name an object, such as s3://bucket/key. Then the bucket itself sends the object. For such a URL the
    command needs no secret, but the variables of the bucket, such as AWS_ACCESS_KEY_ID.
    """
    if is_object_url(url):
        click.echo(_signed_object(url, expires, ip, name))
        return
    from ..access.signer import Signer, secrets_of

    secrets = secrets_of(secret or "")
    if not secrets:
        raise click.UsageError("sign needs the secret of the server: set ASYNC_DOWNLOADS_SECRET, or give --secret")
    try:
        click.echo(Signer(secrets).sign(url, expires=expires, address=ip, name=name))
    except ValueError as error:
        raise CannotRun(str(error)) from error


def _signed_object(url: str, expires: timedelta, ip: str | None, name: str | None) -> str:
    if ip:
        raise click.UsageError("--ip cannot be used for a bucket, because a bucket does not check addresses")
    try:
        check_object_url(url)  # it says how to install obstore
        from ..sources.object_storage.signing import sign_object

        return sign_object(url, expires=expires, name=name)
    except (ValueError, DownloadError) as error:
        raise CannotRun(redacted(error)) from error
