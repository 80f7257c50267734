"""Read the text of a setting, which may come from an option, a variable or a file.

Each function raises ValueError, with a message for the user, if it cannot read the text.
"""

import ipaddress
import re
from contextlib import suppress
from typing import Final

from .client_address import MAX_PORT

__all__ = [
    "read_bind",
    "read_bytes",
    "read_cache_control",
    "read_choice",
    "read_field",
    "read_mode",
    "read_offload",
    "read_origin",
    "read_proxies",
    "read_rate",
    "read_seconds",
    "read_whole_number",
    "read_yes_or_no",
]


_MAX_SECONDS: Final = 1_000_000  # more than eleven days; the kernel counts some times in milliseconds, in 32 bits
_BYTES: Final = re.compile(r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,9})?)(?P<unit>[KMGT]?)", re.IGNORECASE)
_UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_OFFLOAD: Final = re.compile(r"sendfile|nginx:/(?:[A-Za-z0-9._~-]+/)*")
_FIELD_VALUE: Final = re.compile(r"[ -~]+")
_YES: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
_NO: Final = frozenset({"0", "false", "f", "no", "n", "off"})
_FIELD_LINE: Final = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([!-~](?:[ -~\t]*[!-~])?)[ \t]*")
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._~%\[\]:-]+")
# Fields that frame the response or describe its content: a second value would contradict the first one.
_FIXED_FIELDS: Final = frozenset(
    {
        "accept-ranges", "connection", "content-disposition", "content-encoding", "content-length", "content-range",
        "content-type", "date", "etag", "keep-alive", "last-modified", "location", "proxy-connection", "repr-digest",
        "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip


def read_seconds(text: str, *, zero: bool = False) -> float:
    """Read a duration in seconds; `zero` allows 0. Raises ValueError, with a message for the user."""
    with suppress(ValueError):
        seconds = float(text)
        if 0 < seconds <= _MAX_SECONDS or (zero and not seconds):
            return seconds
    least = "from 0" if zero else "greater than 0, and"
    raise ValueError(f"{text!r} is not a number of seconds {least} up to {_MAX_SECONDS:,}")


def read_bind(text: str) -> str:
    """Read a port of 127.0.0.1, or an address and a port. Raises ValueError, with a message for the user.

    >>> read_bind("9100"), read_bind("[::1]:9100")
    ('127.0.0.1:9100', '[::1]:9100')
    """
    host, _, port = text.rpartition(":")
    with suppress(ValueError):
        return f"{host or '127.0.0.1'}:{read_whole_number(port, least=0, most=MAX_PORT)}"
    raise ValueError(f"{text!r} is neither a port nor an address with a port, such as 9100 or 10.0.0.5:9100")


def read_bytes(text: str) -> int:
    """Read a number of bytes, with the units of curl and wget. Raises ValueError, with a message for the user.

    >>> read_bytes("2M"), read_bytes("0.5k")
    (2097152, 512)
    """
    found = _BYTES.fullmatch(text)
    size = int(float(found["number"]) * _UNITS[found["unit"].upper()]) if found else 0
    if size < 1:
        raise ValueError(f"{text!r} is not a number of bytes, such as 500K, 2M or 1.5G")
    return size


def read_rate(text: str) -> int:
    """Read a number of bytes per second. Raises ValueError, with a message for the user.

    >>> read_rate("2M"), read_rate("0.5k")
    (2097152, 512)
    """
    with suppress(ValueError):
        return read_bytes(text)
    raise ValueError(f"{text!r} is not a number of bytes per second, such as 500K, 2M or 1.5G")


def read_whole_number(text: str, *, least: int, most: int) -> int:
    """Read a whole number. Raises ValueError, with a message for the user, if it is not in the range."""
    with suppress(ValueError):
        if least <= (number := int(text)) <= most:
            return number
    raise ValueError(f"{text!r} is not a whole number from {least} to {most}")


def read_yes_or_no(text: str) -> bool:
    """Read a switch, in upper or lower case. Raises ValueError, with a message for the user."""
    word = text.strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise ValueError(f"{text!r} is neither yes nor no")


def read_cache_control(text: str) -> str | None:
    """Read a value of Cache-Control; None, for no such field, if it is "none" or empty.

    Raises ValueError if it is not one line of printable ASCII.
    """
    text = text.strip(" ")
    if text in {"", "none"}:
        return None
    if not _FIELD_VALUE.fullmatch(text):
        raise ValueError(f"{text!r} is not printable ASCII in one line")
    return text


def read_mode(text: str) -> int:
    """Read the permissions of a file. Raises ValueError, with a message for the user."""
    if not re.fullmatch("0?[0-7]{3}", text):
        raise ValueError(f"{text!r} is not a number of three octal digits, such as 660")
    return int(text, 8)


def read_offload(text: str) -> str:
    """Read how a server in front sends the files. Raises ValueError, with a message for the user.

    >>> read_offload("nginx:/_files/")
    'nginx:/_files/'
    """
    if not _OFFLOAD.fullmatch(text):
        raise ValueError(f"{text!r} is neither sendfile nor nginx: with the path of a location, such as nginx:/_files/")
    return text


def read_choice(text: str, *, choices: tuple[str, ...]) -> str:
    """Read one of these words. Raises ValueError, with a message for the user, for any other text."""
    if text not in choices:
        raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
    return text


def read_field(text: str) -> str:
    """Read a field line, `Name: value`, that may be added to a response.

    Raises ValueError if it is not one line of printable ASCII, or if only the server can set this field.
    """
    line = _FIELD_LINE.fullmatch(text)
    if not line:
        raise ValueError(f"{text!r} is not a field such as 'Name: value', in one line of printable ASCII")
    name = line[1].lower()
    if name == "cache-control":
        raise ValueError("use --cache-control to set Cache-Control")
    if name.startswith("access-control-"):
        raise ValueError(f"use --cors to set {line[1]}")
    if name in _FIXED_FIELDS:
        raise ValueError(f"only the server can set {line[1]}, because it differs in each response")
    return f"{line[1]}: {line[2]}"


def read_origin(text: str) -> str:
    """Read an origin (RFC 6454 §6.2), or `*`, which means any.

    Raises ValueError if it is neither of them.
    """
    if text != "*" and not _ORIGIN.fullmatch(text):
        raise ValueError(
            f"{text!r} is neither * nor an origin such as https://example.org; if a folder follows, write --cors='*'"
        )
    return text


def read_proxies(text: str) -> str:
    """Read the addresses of proxies: networks, single addresses, or `unix`, with commas between them.

    Raises ValueError, with a message for the user, if one is none of these.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        try:
            if name != "unix":
                ipaddress.ip_network(name)
        except ValueError as error:
            raise ValueError(f"{error}: give networks such as 10.0.0.0/8, addresses, or unix") from None
    return ",".join(names)
