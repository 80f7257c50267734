"""Render Markdown as safe HTML. Raw HTML is shown as text, and links have only URL schemes that run no script.

The parser is imported when the first text is rendered, so that the server starts sooner.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

from ..sources.base import Entry
from .kinds import kind_of
from .names import readable
from .texts import coloured_as

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["MAX_MARKDOWN_BYTES", "readme_of", "rendered", "rendered_readme"]


MAX_MARKDOWN_BYTES: Final = 256 * 1024  # a thread renders that in a second or two
_README: Final = re.compile(r"readme(?:\.(?:md|markdown|txt|rst|text))?", re.IGNORECASE)
_ELSEWHERE: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//|[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_NOT_IN_SLUG: Final = re.compile(r"[^\w\- ]")


def _highlight(text: str, language: str, _: str) -> str:
    return f'<pre tabindex="0"><code class="code">{coloured_as(language, text)}</code></pre>'


def _render_indented(tokens: Sequence["Token"], index: int, *_: Any) -> str:
    return f'<pre tabindex="0"><code>{escape(tokens[index].content)}</code></pre>\n'


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "highlight": _highlight}).enable(["table", "strikethrough"])
    parser.renderer.rules["code_block"] = _render_indented  # type: ignore[attr-defined] # it is a dict
    return parser


def rendered(text: str) -> str:
    """Render Markdown as HTML.

    The page itself has the heading of level 1, so each heading gets the next lower level. Pictures of other sites
    become links, because a page loads nothing from other servers.
    """
    parser = _parser()
    tokens = parser.parse(text)
    slugs: dict[str, int] = {}
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _slug(tokens[index + 1].content, slugs))
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        elif token.type == "table_open":
            token.attrSet("tabindex", "0")  # the keyboard can then scroll a wide table
        token.children = token.children and list(_without_foreign_pictures(token.children))
    html: str = parser.renderer.render(tokens, parser.options, {})
    return html


def _slug(heading: str, slugs: dict[str, int]) -> str:
    """Return the id of a heading, as GitHub makes it."""
    slug = _NOT_IN_SLUG.sub("", heading.lower()).replace(" ", "-")
    count = slugs[slug] = slugs.get(slug, -1) + 1
    return f"{slug}-{count}" if count else slug


def _without_foreign_pictures(tokens: Iterable["Token"]) -> Iterable["Token"]:
    from markdown_it.token import Token

    for token in tokens:
        source = str(token.attrGet("src") or "")
        if token.type != "image" or not _ELSEWHERE.match(source) or source.startswith("data:"):
            yield token
            continue
        yield Token("link_open", "a", 1, attrs={"href": source})
        yield Token("text", "", 0, content=token.content or source)
        yield Token("link_close", "a", -1)


def readme_of(entries: Iterable[Entry]) -> Entry | None:
    """Return the entry whose text is shown below a folder's list; None if there is none."""
    found = [
        entry
        for entry in entries
        if not entry.is_directory and _README.fullmatch(entry.name) and (entry.size or 0) <= MAX_MARKDOWN_BYTES
    ]
    return min(found, key=lambda entry: (kind_of(entry.name) != "markdown", entry.name), default=None)


def rendered_readme(name: str, text: str) -> str:
    """Return the text of a README as HTML."""
    if kind_of(readable(name)) == "markdown":
        return f'<div class="md">{rendered(text)}</div>'
    return f'<pre tabindex="0">{escape(text)}</pre>'
