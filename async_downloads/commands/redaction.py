"""Remove secrets and control characters from errors and URLs before they are shown."""

import re
from typing import Final
from urllib.parse import urlsplit

from ..semantics.escaped_names import pattern_of

__all__ = ["HARMLESS", "is_url", "printable", "public_url", "redacted"]


HARMLESS: Final = re.compile(r"[\w./:-]*")  # such a text holds no password
_USERINFO: Final = re.compile(r"//[^/]*@")  # to the last @: a password may contain ? or # without escapes
_URL: Final = re.compile(r"(\bhttps?://[^\s'\"]+)", re.IGNORECASE)  # `public_url` decides what is shown of it
# A password in the URL of a database: as a parameter, or between a colon and the last @ of a word.
_PARAMETER: Final = re.compile(rf"({pattern_of('password')}=)[^&\s]+", re.IGNORECASE)
_WORD: Final = re.compile(r"\S+")
_BEFORE_PASSWORD: Final = re.compile(r":(?!//)")


def redacted(error: BaseException) -> str:
    """Return the message of an error in one line, without secrets and without control characters.

    >>> redacted(ValueError("no server at\\nhttp://me:secret@localhost/files?key=abc"))
    'no server at; http://localhost/files'
    >>> redacted(ValueError("no server at postgresql://me:secret@localhost/files"))
    'no server at postgresql://me:***@localhost/files'
    """
    lines = filter(None, map(str.strip, str(error).splitlines()))
    texts = _URL.split("; ".join(lines))  # every second text is a URL
    texts[1::2] = [public_url(url) or "a URL" for url in texts[1::2]]
    texts[::2] = [_PARAMETER.sub(r"\1***", _WORD.sub(_without_password, text)) for text in texts[::2]]
    return printable("".join(texts)) or type(error).__name__


def _without_password(word: re.Match[str]) -> str:
    """Replace the password in a word that is a URL.

    The last @ is found first: a server may send a word of many colons, and a search from each would take long.
    """
    before, at, rest = word[0].rpartition("@")
    colon = _BEFORE_PASSWORD.search(before) if at else None
    return f"{before[: colon.end()]}***@{rest}" if colon else word[0]


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
