"""Write the manual page from the options of the command: `python docs/man_page.py`.

The page is docs/async-downloads.1. The wheel installs it as share/man/man1/async-downloads.1, and a test compares it
with the options.
"""

import inspect
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "async-downloads.1"
EXIT_CODES: Final = """0 success; 1 another error; 2 usage; 3 file; 4 network; 5 TLS; 6 authentication; 7 protocol;
8 HTTP status; 9 digest; 130 and 143 signals. Codes from 3 to 9 are those of get."""
EXAMPLES: Final = {
    "Serve the current folder to other machines": "async-downloads serve --lan",
    "Download a file with eight connections": "async-downloads get -x 8 https://example.com/large.iso",
    "Copy a folder": "async-downloads get -r https://example.com/files/ -d copy",
}


def page() -> str:
    """Return the manual page in the macros of man(7)."""
    from async_downloads.cli import cli

    context = click.Context(cli, info_name="async-downloads", **cli.context_settings)
    return "\n".join([*_head(cli, context), *_commands(cli, context), *_end()]) + "\n"


def _head(cli: click.Group, context: click.Context) -> Iterator[str]:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    yield '.\\" Written by docs/man_page.py'
    yield f'.TH ASYNC\\-DOWNLOADS 1 "{_date_of(version)}" "async\\-downloads {version}" "User Commands"'
    yield ".SH NAME"
    yield "async\\-downloads \\- serve files to many clients, and download files"
    yield ".SH SYNOPSIS"
    yield from _synopsis(context)
    yield ".SH DESCRIPTION"
    yield from _paragraphs(cli.help or "")
    yield ".SH OPTIONS"
    yield from _options(cli.get_params(context), context)


def _date_of(version: str) -> str:
    """Return the day on which a version was released."""
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    found = re.search(rf"^## {re.escape(version)} - (\d{{4}}-\d{{2}}-\d{{2}})$", changes, re.MULTILINE)
    if found is None:
        raise ValueError(f"CHANGELOG.md has no date of {version}")
    return found[1]


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    """Yield the section of each command; a group has the sections of its own commands."""
    if context.parent is None:
        yield ".SH COMMANDS"
    for name in group.list_commands(context):
        if (command := group.get_command(context, name)) is None:
            continue
        inner = click.Context(command, context, info_name=name)
        yield f".SS {_escaped(inner.command_path)}"
        yield from _synopsis(inner)
        yield ".PP"
        yield from _paragraphs(command.help or "")
        if isinstance(command, click.Group):
            yield from _commands(command, inner)
        else:
            yield from _options(command.params, inner)
            yield from _epilog(command)


def _synopsis(context: click.Context) -> Iterator[str]:
    pieces = " ".join(context.command.collect_usage_pieces(context))
    yield f"\\fB{_escaped(context.command_path)}\\fR {_escaped(pieces)}".rstrip()


def _options(params: Sequence[click.Parameter], context: click.Context) -> Iterator[str]:
    for param in params:
        record = param.get_help_record(context) if isinstance(param, click.Option) else None
        if record is not None:
            names, text = record
            yield ".TP"
            yield f".B {_escaped(names)}"
            yield _line(text)


def _epilog(command: click.Command) -> Iterator[str]:
    if command.epilog:
        yield ".PP"
        yield from _paragraphs(command.epilog)


def _end() -> Iterator[str]:
    yield ".SH EXIT STATUS"
    yield _line(EXIT_CODES)
    yield ".SH ENVIRONMENT"
    yield _line(
        "Each option of serve and run is also a variable: ASYNC_DOWNLOADS_ and its name in capital letters, with _ "
        "in the place of -. get reads http_proxy, https_proxy, all_proxy and no_proxy."
    )
    yield ".SH EXAMPLES"
    for title, command in EXAMPLES.items():
        yield ".TP"
        yield _line(title)
        yield f".B {_escaped(command)}"
    yield ".SH SEE ALSO"
    yield ".BR curl (1),\n.BR wget (1)"


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; one that begins with `\\b` keeps its lines."""
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
        if number:
            yield ".PP"
        if paragraph.startswith("\b\n"):
            yield ".nf"
            yield from map(_line, paragraph.splitlines()[1:])
            yield ".fi"
        else:
            yield _line(paragraph)


def _line(text: str) -> str:
    """Return text as one line, which is not a request even if it begins with a dot."""
    line = _escaped(" ".join(text.split()))
    return f"\\&{line}" if line.startswith((".", "'")) else line


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in escaped)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(page(), "utf-8")
