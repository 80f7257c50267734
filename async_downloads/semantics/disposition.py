"""Content-Disposition: RFC 6266, with names beyond ASCII by RFC 8187.

A name comes from users and ends between quotes in a field, so a quote must not end it and a line break must
not end the field: controls become `_`, quotes and backslashes are escaped.
"""

import re
import unicodedata
from typing import Final, Literal
from urllib.parse import quote, unquote_to_bytes

__all__ = ["Disposition", "content_disposition", "parse_filename"]


Disposition = Literal["inline", "attachment"]
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ATTR_CHARS = "!#$&+-.^_`|~"  # attr-char of RFC 8187 §3.2.1 beyond letters and digits
# Possessive, so that a run of spaces is looked at once. A parameter may be empty (RFC 9110 §5.6.6).
_QUOTED_STRING = r'"(?P<quoted>(?:[^\x00-\x08\x0a-\x1f\x7f"\\]|\\[^\x00-\x08\x0a-\x1f\x7f])*+)"'
_VALUE = rf"[ \t]*+=[ \t]*+(?:(?P<token>{_TOKEN.pattern}+)|{_QUOTED_STRING})"
_PARAMETER = re.compile(rf"[ \t]*+;[ \t]*+(?:(?P<name>{_TOKEN.pattern}+){_VALUE})?+")
_ESCAPED = re.compile(r"\\(.)")
_EXTENDED = re.compile(
    rf"(?P<charset>[0-9a-z-]++)'[0-9a-z-]*+'(?P<value>(?:[0-9a-z{re.escape(_ATTR_CHARS)}]|%[0-9a-f]{{2}})*+)",
    re.IGNORECASE,
)
_CHARSETS: Final = {"utf-8", "iso-8859-1"}  # those that a recipient must know, and may (RFC 8187 §3.2.1)


def content_disposition(disposition: Disposition, filename: str | None) -> str:
    r"""Write the field: ask to show (`inline`) or to save (`attachment`), under that name.

    Old readers get a name in ASCII, the others the whole one. They get both, too, when the name has a percent
    sign, which some readers decode (RFC 6266 appendix D).

    >>> content_disposition("attachment", "report.pdf")
    'attachment; filename=report.pdf'
    >>> content_disposition("inline", 'naïve "plan".txt')
    'inline; filename="naive \\"plan\\".txt"; filename*=UTF-8\'\'na%C3%AFve%20%22plan%22.txt'
    >>> content_disposition("attachment", "日本\r\n.pdf")
    "attachment; filename=____.pdf; filename*=UTF-8''%E6%97%A5%E6%9C%AC__.pdf"
    """
    if filename is None:
        return disposition
    name = "".join("_" if unicodedata.category(char) in {"Cc", "Cs"} else char for char in filename)
    fallback = _in_ascii(name)
    value = f"{disposition}; filename={_quoted(fallback)}"
    if fallback == name and "%" not in name:
        return value
    return f"{value}; filename*=UTF-8''{quote(name, safe=_ATTR_CHARS)}"


def _in_ascii(name: str) -> str:
    return name if name.isascii() else "".join(map(_character_in_ascii, name))


def _character_in_ascii(char: str) -> str:
    """Return the letters and digits a character is made of: never a separator that only looks like one, as U+FF0F."""
    if char.isascii():
        return char
    parts = [part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part)]
    return "".join(part if part.isascii() and part.isalnum() else "_" for part in parts)


def _quoted(text: str) -> str:
    if _TOKEN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parse_filename(value: str) -> str | None:
    """Read the name that a field suggests, as it is: it may be empty, a path, or an attack.

    `filename*` comes before `filename` unless it cannot be read (RFC 6266 §4.3). None when there is no name, or the
    field is malformed or gives a parameter twice (§4.1).

    >>> parse_filename("attachment; filename=EURO.txt; filename*=UTF-8''%e2%82%ac.txt")
    '€.txt'
    """
    parameters = _parameters(value)
    extended = _decoded(parameters.get("filename*", ""))
    return parameters.get("filename") if extended is None else extended


def _parameters(value: str) -> dict[str, str]:
    """Return the parameters of a disposition by name, or {} when it is malformed."""
    parameters: dict[str, str] = {}
    disposition = _TOKEN.match(value)
    at = disposition.end() if disposition else -1
    while 0 <= at < len(value) and (found := _PARAMETER.match(value, at)):
        name, at = (found["name"] or "").lower(), found.end()
        if name in parameters:
            return {}
        if name:
            parameters[name] = found["token"] or _ESCAPED.sub(r"\1", found["quoted"])
    return parameters if at == len(value) else {}


def _decoded(extended: str) -> str | None:
    """Return what an ext-value stands for (RFC 8187 §3.2); None when it is malformed or in another charset."""
    found = _EXTENDED.fullmatch(extended)
    if not found or found["charset"].lower() not in _CHARSETS:
        return None
    try:
        return unquote_to_bytes(found["value"]).decode(found["charset"])
    except UnicodeDecodeError:
        return None
