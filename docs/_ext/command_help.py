"""The directive `command-help`: a section with the full help of each command of async-downloads."""

from collections.abc import Iterator

import click
from click.testing import CliRunner
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from async_downloads.cli import cli

NAME = "async-downloads"
WIDTH = 88


class CommandHelp(Directive):
    """Describes every command, and the commands of a group after the group."""

    def run(self) -> list[nodes.Node]:
        return [_section(path, command) for path, command in _below(cli, ())]


def _below(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield each command of a group, and of the groups in it, with the words that run it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from _below(command, (*path, name))


def _section(path: tuple[str, ...], command: click.Command) -> nodes.section:
    has_more = any("--help-all" in parameter.opts for parameter in command.params)
    words = [*path, "--help-all" if has_more else "--help"]
    text = CliRunner().invoke(cli, words, prog_name=NAME, terminal_width=WIDTH, catch_exceptions=False).output
    title = " ".join([NAME, *path])
    help_text = nodes.literal_block(text, text, language="text")
    return nodes.section("", nodes.title(title, title), help_text, ids=[nodes.make_id(title)], names=[title])


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True}
