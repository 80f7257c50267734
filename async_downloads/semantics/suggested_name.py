"""The file name in a Content-Disposition field that breaks RFC 6266, as browsers, curl and wget read it.

Many servers send names with spaces but without quotes, fields without a disposition type, raw UTF-8, or malformed
parameters beside the name. The name in such a field says more about the file than the last segment of its URL.
"""

import re
from binascii import Error, a2b_base64, a2b_qp
from collections.abc import Mapping
from itertools import takewhile
from typing import Final
from urllib.parse import unquote_to_bytes

from .disposition import parse_filename

__all__ = ["suggested_filename"]


# Possessive quantifiers, so that hostile fields take linear time. The closing quote may be missing.
_PARAMETER: Final = re.compile(
    r'[\s;]*+(?P<name>[^=;]*+)(?:=\s*+(?:"(?P<quoted>(?:[^"\\]|\\.)*+)[^;]*+|(?P<bare>[^;]*+)))?+', re.DOTALL
)
_SECOND_FIELD: Final = re.compile(r",\s*(?:attachment|inline)\b.*", re.IGNORECASE | re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\])')  # any other backslash belongs to a Windows path
_WINDOWS_PATH: Final = re.compile(r"(?:[A-Za-z]:)?\\")
_SINGLE_QUOTES: Final = re.compile(r"\A'([^']+)'\Z")
_EXTENDED: Final = re.compile(r"(?P<charset>[0-9A-Za-z_-]*)'[^']*'(?P<value>.*)", re.DOTALL)
_BROKEN_CODE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED_WORD: Final = re.compile(r"=\?(?P<charset>[\w-]+)\?(?P<kind>[BbQq])\?(?P<text>[^?]*)\?=")  # RFC 2047 §2
_CHARSETS: Final = frozenset(
    {"utf-8", "utf8", "us-ascii", "iso-8859-1", "latin1", "iso-8859-15", "windows-1251", "windows-1252", "koi8-r"}
    | {"gb2312", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"}
)


def suggested_filename(value: str) -> str | None:
    """Return the file name that a field suggests, unchecked; None if the field suggests no name.

    A field that follows RFC 6266 is read by its rules. In any other field, the first `filename*` that can be decoded
    counts, else the first `filename`. In a Windows path, backslashes are no escapes.

    >>> suggested_filename("attachment; filename=My Report (1).pdf")
    'My Report (1).pdf'
    >>> suggested_filename('filename="setup.exe"')
    'setup.exe'
    """
    value = _as_utf8(value)
    loose = _loose_parameters(value)
    extended, plain = loose.get("filename*") or _joined(loose), _plain(value, loose)
    decoded = _decoded(extended)
    if decoded and not _BROKEN_CODE.search(extended):
        return decoded
    return _without_codes(plain) or decoded or _percent_decoded(extended) or _value_of(extended) or None


def _plain(value: str, loose: Mapping[str, str]) -> str:
    """Return the `filename`, by the rules unless it is a Windows path or in single quotes."""
    strict, name = parse_filename(value), loose.get("filename", "")
    return name if _WINDOWS_PATH.match(name) or strict == f"'{name}'" else strict or name


def _joined(parameters: Mapping[str, str]) -> str:
    """Return a value that was sent in parts, `filename*0*`, `filename*1` and so on, as in mail (RFC 2231 §4.1).

    Only the parts with an asterisk at their end are percent-encoded, so the other parts are encoded here.
    """
    return "".join(takewhile(bool, (_part(parameters, f"filename*{number}") for number in range(len(parameters)))))


def _part(parameters: Mapping[str, str], name: str) -> str:
    return parameters.get(f"{name}*") or parameters.get(name, "").replace("%", "%25")


def _as_utf8(value: str) -> str:
    """Return the text of raw bytes in UTF-8 that were read as ISO-8859-1, and any other text unchanged."""
    try:
        return value.encode("iso-8859-1").decode("utf-8")
    except UnicodeError:
        return value


def _loose_parameters(value: str) -> Mapping[str, str]:
    """Return all readable parameters by name. The first of several with one name counts."""
    parameters: dict[str, str] = {}
    at = 0
    while at < len(value) and (found := _PARAMETER.match(value, at)):
        at = found.end()
        name = found["name"].lower().split()[-1:]  # a semicolon after the type may be missing
        bare = _SINGLE_QUOTES.sub(r"\1", _SECOND_FIELD.sub("", found["bare"] or "").strip())
        text = bare if found["quoted"] is None else _ESCAPED.sub(r"\1", found["quoted"])
        for each in name:
            parameters.setdefault(each, text)
    return parameters


def _decoded(extended: str) -> str | None:
    """Decode an ext-value (RFC 8187 §3.2), even with invalid characters; None if the bytes are not in its charset."""
    found = _EXTENDED.fullmatch(extended)
    return _in_charset(_unquoted(found["value"]), found["charset"]) if found else None


def _value_of(extended: str) -> str:
    """Return an ext-value without its charset and language, still percent-encoded."""
    found = _EXTENDED.fullmatch(extended)
    return found["value"] if found else extended


def _without_codes(text: str) -> str:
    """Decode the forms that mail programs and encodeURIComponent write into a plain `filename`.

    Some servers write the value of a `filename*` there.
    """
    if (extended := _decoded(text)) and not text.startswith("'"):
        return extended
    if _ENCODED_WORD.search(text):
        return _ENCODED_WORD.sub(_encoded_word, re.sub(r"(?<=\?=)\s+(?==\?)", "", text))
    decoded = _percent_decoded(text)
    return decoded if decoded and not decoded.isascii() else text  # "100%25.txt" may be the real name


def _percent_decoded(text: str) -> str | None:
    return _in_charset(_unquoted(text), "utf-8")


def _unquoted(text: str) -> bytes:
    return unquote_to_bytes(text.encode("utf-8", "surrogatepass"))


def _encoded_word(found: re.Match[str]) -> str:
    try:
        text = found["text"].encode("ascii")
        content = a2b_base64(text) if found["kind"] in "Bb" else a2b_qp(text, header=True)
    except (Error, UnicodeEncodeError):
        return found[0]
    return _in_charset(content, found["charset"]) or found[0]


def _in_charset(content: bytes, charset: str) -> str | None:
    """Decode bytes; None if browsers do not know the charset or the bytes are not in it. "" counts as UTF-8."""
    charset = charset.lower() or "utf-8"
    if charset not in _CHARSETS:
        return None
    try:
        return content.decode(charset)
    except UnicodeDecodeError:
        return None
