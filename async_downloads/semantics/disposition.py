"""Content-Disposition: RFC 6266, with names beyond ASCII by RFC 8187.

A name comes from users and ends between quotes in a field, so a quote must not end it and a line break must
not end the field: controls become `_`, quotes and backslashes are escaped.
"""

import re
import unicodedata
from typing import Literal
from urllib.parse import quote

__all__ = ["Disposition", "content_disposition"]

Disposition = Literal["inline", "attachment"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ATTR_CHARS = "!#$&+-.^_`|~"  # attr-char of RFC 8187 §3.2.1 beyond letters and digits


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
