"""Remove secrets and control characters from errors and URLs before they are shown."""

import re
from typing import Final
from urllib.parse import urlsplit

__all__ = ["HARMLESS", "is_url", "printable", "public_url", "redacted"]


HARMLESS: Final = re.compile(r"[\w./:-]*")  # such a text holds no password
_USERINFO: Final = re.compile(r"//[^/]*@")  # to the last @: a password may hold ? or # that should be escaped
_SECRET: Final = re.compile(
    r"\bhttps?://[^\s'\"]+"  # a URL; `public_url` decides what is shown of it
    r"|(?<=:)(?!//)\S+(?=@)|(?<=password=)[^&\s]+",  # a password in the URL of a database
    re.IGNORECASE,
)


def redacted(error: BaseException) -> str:
    """Return the message of an error in one line, without secrets and without control characters.

    >>> redacted(ValueError("no server at\\nhttp://me:secret@localhost/files?key=abc"))
    'no server at; http://localhost/files'
    >>> redacted(ValueError("no server at postgresql://me:secret@localhost/files"))
    'no server at postgresql://me:***@localhost/files'
    """
    lines = filter(None, map(str.strip, str(error).splitlines()))
    return printable(_SECRET.sub(_without_secret, "; ".join(lines))) or type(error).__name__


def _without_secret(found: re.Match[str]) -> str:
    is_http = found[0].lower().startswith(("http://", "https://"))
    return (public_url(found[0]) or "a URL") if is_http else "***"


def public_url(url: str) -> str:
    """Return a URL without user, password, query and fragment; "" if it is malformed, since any part may be a password.

    >>> public_url("https://me:secret@example.com/a?signature=abc")
    'https://example.com/a'
    """
    shown = re.split("[?#]", _USERINFO.sub("//", url, count=1), maxsplit=1)[0]
    return printable(shown) if is_url(shown) else ""


def printable(text: str) -> str:
    """Replace control characters, which a terminal would obey."""
    return "".join(char if char.isprintable() else "_" for char in text)


def is_url(text: str) -> bool:
    """Whether a text is an http or https URL with a host."""
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
