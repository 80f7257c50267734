"""Read the texts of the options of `get`. The user sees the message of a ValueError."""

import math
import re
from collections.abc import Sequence
from typing import Final

from ..semantics.tokens import TOKEN

__all__ = ["read_field", "read_host_path", "read_resume_offset", "read_retries", "replace_wget_stdout"]


_FIELD: Final = re.compile(rf"(?P<name>{TOKEN}):[ \t]*(?P<value>(?:[!-~][\t -~]*)?)")
_RESERVED: Final = {
    "accept-encoding",
    "content-length",
    "if-range",
    "range",
    "transfer-encoding",
    "want-repr-digest",
}  # the download sets them itself; other values would mix two versions of a file
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST_PATH: Final = re.compile(
    rf"(?:(?:localhost|{_LABEL}(?:\.{_LABEL})+)(?::[0-9]{{1,5}})?|{_LABEL}:[0-9]{{1,5}}|\[[0-9A-Fa-f:.]+\](?::[0-9]+)?)/.*"
)
# wget's `-O-`, also after other letters that take no value, as in `-qO-`
_WGET_STDOUT: Final = re.compile("-([cfJLNqrsS#]*)O-")


def read_retries(value: str) -> float:
    """Return a number of retries; `inf` is no limit.

    >>> read_retries("5"), read_retries("inf")
    (5.0, inf)
    """
    if value == "inf":
        return math.inf
    if not re.fullmatch("[0-9]{1,9}", value):
        raise ValueError(f"{value!r} is not a number of retries, such as 5 or inf")
    return float(value)


def read_field(value: str) -> tuple[str, str]:
    """Return name and value of a header field. The message does not show the text: it may hold a password."""
    found = _FIELD.fullmatch(value)
    if not found:
        raise ValueError("expected 'Name: value' in printable ASCII")
    if found["name"].lower() in _RESERVED:
        raise ValueError(f"the download sets {found['name']} itself")
    return found["name"], found["value"].rstrip()


def read_host_path(value: str) -> str:
    """Return a URL; a host and a path alone are a URL of http, as for curl and wget.

    >>> read_host_path("example.com/a"), read_host_path("localhost:8000/"), read_host_path("a/b")
    ('http://example.com/a', 'http://localhost:8000/', 'a/b')
    """
    return f"http://{value}" if _HOST_PATH.fullmatch(value) else value


def read_resume_offset(value: str) -> None:
    """Accept the `-` of curl's `-C -`: `get` always continues a download."""
    if value != "-":
        raise ValueError("leave out -C: a download always continues where it was interrupted")


def replace_wget_stdout(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with `-o -` in the place of wget's `-O -`, which is standard output.

    >>> replace_wget_stdout(["-qO-", "http://host/a"]), replace_wget_stdout(["-O", "-"]), replace_wget_stdout(["-O"])
    (['-q', '-o', '-', 'http://host/a'], ['-o', '-'], ['-O'])
    """
    replaced: list[str] = []
    for each in arguments:
        argument = each
        if argument == "-" and replaced and _WGET_STDOUT.fullmatch(f"{replaced[-1]}-"):
            argument = f"{replaced.pop()}-"
        if found := _WGET_STDOUT.fullmatch(argument):
            replaced += [f"-{found[1]}"] if found[1] else []
            replaced += ["-o", "-"]
        else:
            replaced.append(argument)
    return replaced
