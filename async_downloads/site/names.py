"""Names of files as people read them: sorted by the values of numbers, with visible marks for invisible characters."""

import re
import unicodedata
from os import fsencode
from typing import Final, NamedTuple

__all__ = ["NamePart", "labelled", "marked", "natural_key", "readable"]


_DIGITS: Final = re.compile("[0-9]+")
_INVISIBLE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
_INVISIBLE_LETTERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # fonts draw nothing for these
_JOINERS: Final = frozenset("\u200c\u200d")  # Persian words and many emoji are spelled with them


class NamePart(NamedTuple):
    """A part of a name: unchanged text, or the mark for one character, such as `U+202E`."""

    text: str
    is_mark: bool = False


def natural_key(name: str) -> str:
    r"""Return a text that sorts as people do: whole numbers by their value, letters without regard to case.

    Different names have different keys.

    >>> sorted(["file 10", "File 9", "file 1"], key=natural_key)
    ['file 1', 'File 9', 'file 10']
    """
    # A longer number is larger. The name itself makes the keys of "a7" and "A07" differ.
    return f"{_DIGITS.sub(_by_length, name.casefold())}\0{name}"


def _by_length(found: re.Match[str]) -> str:
    digits = found[0].lstrip("0")
    return f"0{chr(len(digits) + 1)}{digits}"


def readable(name: str) -> str:
    """Return a name with U+FFFD in place of each byte that is not UTF-8."""
    return fsencode(name).decode("utf-8", "replace")


def marked(name: str) -> tuple[NamePart, ...]:
    """Divide a name into text and marks. A mark replaces a character that is invisible or reverses the text.

    Without marks, a program could look like a picture: `photo<U+202E>gpj.exe` would be shown as `photoexe.jpg`.

    >>> [part.text for part in marked("photo\u202egpj.exe")]
    ['photo', 'U+202E', 'gpj.exe']
    """
    if name.isascii() and name.isprintable():
        return (NamePart(name),)
    parts: list[NamePart] = []
    text = ""
    for character in name:
        if not _is_invisible(character):
            text += character
            continue
        parts += [NamePart(text)] if text else []
        parts.append(NamePart(f"U+{ord(character):04X}", is_mark=True))
        text = ""
    return (*parts, NamePart(text)) if text else tuple(parts)


def labelled(name: str) -> str:
    r"""Return a name as one text, in which each mark stands between angle brackets.

    >>> labelled("two\nlines")
    'two<U+000A>lines'
    """
    return "".join(f"<{part.text}>" if part.is_mark else part.text for part in marked(name))


def _is_invisible(character: str) -> bool:
    return character in _INVISIBLE_LETTERS or (
        unicodedata.category(character) in _INVISIBLE_CATEGORIES and character not in _JOINERS
    )
