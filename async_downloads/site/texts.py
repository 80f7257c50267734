"""Texts as HTML: numbered lines with colours, and subtitles. These are pure functions of texts.

Pygments is imported when the first text is coloured, so that the server starts sooner.
"""

import re
from collections.abc import Callable
from html import escape
from typing import Any, Final

__all__ = ["COLOURED_BYTES", "coloured", "coloured_as", "decoded", "numbered", "vtt_of"]


COLOURED_BYTES: Final = 256 * 1024  # colouring takes a second for each 256 KiB, and makes ten times as much HTML
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_TIME: Final = r"(\d{1,3}):(\d\d):(\d\d)[,.](\d{1,3})"
_TIMES: Final = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}[^\n]*")
_UNKNOWN_TAGS: Final = re.compile(r"</?font[^>\n]*>|\{\\[^}\n]*\}", re.IGNORECASE)


def decoded(data: bytes) -> str | None:
    """Decode a text by its byte order mark, as UTF-8, or else as Windows-1252. Return None if it is no text.

    UTF-8 remains UTF-8 if some of its bytes are damaged: most of the characters beyond ASCII must be valid.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return text if 2 * text.count("\ufffd") < beyond_ascii else data.decode("cp1252", "replace")


def coloured(name: str, text: str) -> str:
    """Return a text as HTML, with the colours of the language that the name of the file suggests."""
    from pygments.lexers import get_lexer_for_filename

    return _coloured(text, get_lexer_for_filename, name)


def coloured_as(language: str, text: str) -> str:
    """Return a text as HTML, with the colours of a language; without any if the language is unknown."""
    from pygments.lexers import get_lexer_by_name

    return _coloured(text, get_lexer_by_name, language)


def _coloured(text: str, get_lexer: Callable[..., Any], name: str) -> str:
    from pygments import highlight
    from pygments.formatters.html import HtmlFormatter
    from pygments.lexers.special import TextLexer
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer(name, stripnl=False)
    except ClassNotFound:
        return escape(text)
    if isinstance(lexer, TextLexer):
        return escape(text)
    html: str = highlight(text, lexer, HtmlFormatter(nowrap=True))
    return html


def numbered(html: str) -> str:
    """Put each line of HTML into an element with the id `L<number>`; the style shows the number.

    >>> numbered("a\\nb")
    '<span id="L1">a\\n</span><span id="L2">b\\n</span>'
    """
    lines = html.removesuffix("\n").split("\n")
    return "".join(f'<span id="L{number}">{line}\n</span>' for number, line in enumerate(lines, 1))


def vtt_of(srt: str) -> str:
    """Turn subtitles in SubRip's format into WebVTT, which browsers show."""
    lines = srt.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "WEBVTT\n\n" + "\n".join(_vtt_line(line) for line in lines).strip() + "\n"


def _vtt_line(line: str) -> str:
    if found := _TIMES.fullmatch(line):
        parts = found.groups()
        return f"{_vtt_time(*parts[:4])} --> {_vtt_time(*parts[4:])}"
    return _UNKNOWN_TAGS.sub("", line).replace("-->", "→")


def _vtt_time(hours: str, minutes: str, seconds: str, fraction: str) -> str:
    return f"{int(hours):02}:{minutes}:{seconds}.{fraction:<03}"
