"""Read the netrc file as curl does: unknown words are skipped, so that one bad line does not hide other lines."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

__all__ = ["NetrcEntry", "find_entry", "parse_netrc"]


_WORD: Final = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*+)"?|(?P<bare>\S+)')
_ESCAPED: Final = re.compile(r"\\(.)")
_KEYS: Final = {"machine": "host", "login": "login", "user": "login", "password": "password", "account": "account"}


class NetrcEntry(NamedTuple):
    """The user name and the password for one host."""

    host: str
    login: str
    password: str


def parse_netrc(text: str) -> list[NetrcEntry]:
    """Return the entries of a file in order, without the entry `default`, which would be sent to every host."""
    entries: list[dict[str, str]] = []
    current: dict[str, str] = {}
    words = _words(text)
    for word in words:
        if word == "default":
            current = {}
        elif key := _KEYS.get(word):
            value = next(words, "")
            if key == "host":
                current = {}
                entries.append(current)
            current.setdefault(key, value)
    return [
        NetrcEntry(each["host"].lower().strip("[]"), each.get("login", ""), each.get("password", ""))
        for each in entries
    ]


def find_entry(entries: Sequence[NetrcEntry], host: str, login: str = "") -> NetrcEntry | None:
    """Return the first entry for a host, and for the user name if the URL has one; None if there is none."""
    return next((each for each in entries if each.host == host and login in {"", each.login}), None)


def _words(text: str) -> Iterator[str]:
    """Yield the words of a file without its comments and macros."""
    in_macro = False
    for line in text.removeprefix("\ufeff").splitlines():
        in_macro = in_macro and bool(line.strip())  # a macro ends at an empty line
        if in_macro or line.lstrip().startswith("#"):
            continue
        for found in _WORD.finditer(line):
            if found["bare"] == "macdef":
                in_macro = True
                break
            yield found["bare"] if found["quoted"] is None else _ESCAPED.sub(r"\1", found["quoted"])
