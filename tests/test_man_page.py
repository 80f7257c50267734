"""The manual page: it is that of the options as they are, and man shows it without a warning."""

import re
import runpy
from pathlib import Path
from typing import Final

import click
from tools.programs import run

from async_downloads.cli import cli

DOCS: Final = Path(__file__).parents[1] / "docs"
PAGE: Final = DOCS / "async-downloads.1"


def test_the_page_was_written_from_the_options() -> None:
    written = runpy.run_path(str(DOCS / "man_page.py"))["page"]()
    assert written == PAGE.read_text("utf-8"), "run: python docs/man_page.py"


def test_man_shows_it_without_a_warning() -> None:
    assert run("mandoc", "-T", "lint", "-W", "warning", str(PAGE)) == b""


def test_it_has_each_command_and_each_option() -> None:
    shown = re.sub(r".\x08", "", run("mandoc", "-T", "utf8", str(PAGE)).decode())
    for name in cli.commands:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert f"async-downloads {name}" in shown
        visible = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
        assert [flag for each in visible for flag in each.opts if flag not in shown] == []
