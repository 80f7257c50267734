"""Content-Disposition: RFC 6266, with non-ASCII names by RFC 8187.

File names come from users. A quote in a name must not end the quoted string, and a line break must not end the field.
So control characters become `_`, and quotes and backslashes are escaped.
"""

import re
import unicodedata
from typing import Final, Literal
from urllib.parse import quote, unquote_to_bytes

from .tokens import TOKEN

__all__ = ["Disposition", "content_disposition", "parse_filename"]


Disposition = Literal["inline", "attachment"]
_TOKEN = re.compile(TOKEN)
_ATTR_CHARS = "!#$&+-.^_`|~"  # attr-char of RFC 8187 §3.2.1 beyond letters and digits
# Possessive quantifiers, so that a run of spaces takes linear time. A parameter may be empty (RFC 9110 §5.6.6).
_QUOTED_STRING = r'"(?P<quoted>(?:[^\x00-\x08\x0a-\x1f\x7f"\\]|\\[^\x00-\x08\x0a-\x1f\x7f])*+)"'
_VALUE = rf"[ \t]*+=[ \t]*+(?:(?P<token>{TOKEN}+)|{_QUOTED_STRING})"
_PARAMETER = re.compile(rf"[ \t]*+;[ \t]*+(?:(?P<name>{TOKEN}+){_VALUE})?+")
_ESCAPED = re.compile(r"\\(.)")
_EXTENDED = re.compile(
    rf"(?P<charset>[0-9a-z-]++)'[0-9a-z-]*+'(?P<value>(?:[0-9a-z{re.escape(_ATTR_CHARS)}]|%[0-9a-f]{{2}})*+)",
    re.IGNORECASE,
)
_CHARSETS: Final = {"utf-8", "iso-8859-1"}  # a recipient must know the first and may know the second (RFC 8187 §3.2.1)


def content_disposition(disposition: Disposition, filename: str | None) -> str:
    r"""Write the field: browsers show the file (`inline`) or save it (`attachment`), under this name.

    `filename` has the name in ASCII for old clients, `filename*` the full name. The value has both only if they differ,
    or if the name has a percent sign, which some clients decode in `filename` (RFC 6266 appendix D).

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
    """Return the ASCII letters and digits in a character, else `_`: a fullwidth slash must not become a separator."""
    if char.isascii():
        return char
    parts = [part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part)]
    return "".join(part if part.isascii() and part.isalnum() else "_" for part in parts)


def _quoted(text: str) -> str:
    if _TOKEN.fullmatch(text) and "'" not in text:  # curl removes single quotes around a bare name
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parse_filename(value: str) -> str | None:
    """Return the suggested file name unchecked: it may be empty, a path, or an attack.

    `filename*` is preferred to `filename` unless it is malformed (RFC 6266 §4.3). Returns None if there is no name, or
    if the field is malformed or has a parameter twice (§4.1).

    >>> parse_filename("attachment; filename=EURO.txt; filename*=UTF-8''%e2%82%ac.txt")
    '€.txt'
    """
    parameters = _parameters(value)
    extended = _decoded(parameters.get("filename*", ""))
    return parameters.get("filename") if extended is None else extended


def _parameters(value: str) -> dict[str, str]:
    """Return the parameters of a disposition by name, or {} if it is malformed."""
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
    """Decode an ext-value (RFC 8187 §3.2); return None if it is malformed or has an unknown charset."""
    found = _EXTENDED.fullmatch(extended)
    if not found or found["charset"].lower() not in _CHARSETS:
        return None
    try:
        return unquote_to_bytes(found["value"]).decode(found["charset"])
    except UnicodeDecodeError:
        return None
