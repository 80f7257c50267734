"""A page of the documentation as a list of steps; test_pages.py says what each kind of block means."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

__all__ = ["DOCS", "PAGES", "Command", "File", "NotRun", "Program", "Step", "steps"]

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGES: Final = tuple(sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")))
_MARK: Final = re.compile(r"<!-- (?P<kind>run|not run): (?P<text>.+?) -->\s*", re.DOTALL)
_FILE_NAME: Final = re.compile(r"(?:#|//|<!--) (?P<name>[\w./-]+\.\w+|Caddyfile|Dockerfile)(?: -->)?\n")
_SHOWN: Final = frozenset({"text", "json", "http", "html"})  # what programs print, and messages on the wire


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a console block, and the lines that the page shows below it."""

    line: int
    text: str
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A block that begins with its own name."""

    line: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Program:
    """A Python block without a name, and the text block that directly follows it: its output."""

    line: int
    text: str
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotRun:
    """A block that no test can run, with the reason."""

    line: int
    reason: str


Step = Command | File | Program | NotRun


def steps(text: str) -> Iterator[Step]:
    """Yield the steps of a page. Raises ValueError if a block fits none of the rules."""
    tokens = [each for each in MarkdownIt().parse(text) if each.nesting == 1 or each.type in {"fence", "html_block"}]
    start = Token("", "", 0)
    for (before, token), (_, after) in pairwise(pairwise([start, *tokens, start, start])):
        mark = _MARK.fullmatch(token.content) if token.type == "html_block" else None
        if mark and mark["kind"] == "run":
            yield Command(_line(token), mark["text"])
        elif token.type == "fence":
            yield from _of_fence(before, token, after)


def _of_fence(before: Token, fence: Token, after: Token) -> Iterator[Step]:
    line = _line(fence)
    mark = _MARK.fullmatch(before.content) if before.type == "html_block" else None
    if mark and mark["kind"] == "not run":
        yield NotRun(line, " ".join(mark["text"].split()))
    elif name := _FILE_NAME.match(fence.content):
        yield File(line, name["name"], fence.content)
    elif fence.info == "console":
        yield from _commands(fence)
    elif fence.info == "python":
        is_output = after.type == "fence" and after.info == "text"
        yield Program(line, fence.content, tuple(after.content.splitlines()) if is_output else ())
    elif fence.info not in _SHOWN and not fence.info.startswith("{"):
        raise ValueError(f"line {line}: a block of {fence.info!r} neither runs nor begins with the name of a file")


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0


def _commands(fence: Token) -> Iterator[Command]:
    for part in re.split(r"^\$ ", fence.content, flags=re.MULTILINE)[1:]:
        first, *rest = part.splitlines()
        more = [line.removeprefix("> ") for line in rest if line.startswith("> ")]
        yield Command(
            _line(fence),
            "\n".join([first, *more]),
            tuple(line for line in rest if line.strip() and not line.startswith("> ")),
        )
