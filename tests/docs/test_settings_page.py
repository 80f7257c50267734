"""The page of settings lists each flag of `serve` once, with its help and its default."""

import re
from typing import Final

import click
import pytest

from async_downloads.commands.serve import serve
from async_downloads.config import ServerSettings, Setting, Settings, table

from .page import DOCS

_ROWS: Final = re.findall(r"^\| (.*`--.*) \|$", (DOCS / "guide" / "settings.md").read_text("utf-8"), re.MULTILINE)
_ELSEWHERE: Final = {"--config", "--help", "--help-all"}  # they are no settings
# The default of each flag, as the page shows it, by the flag.
_DEFAULTS: Final = {
    flag: row.rpartition("|")[2].strip() for row in _ROWS for flag in re.findall(r"`(--[a-z0-9-]+)`", row.split("|")[0])
}
_EXPLAINED: Final = {
    flag: row.split(" | ")[1]
    for row in _ROWS
    if row.count("|") == 2
    for flag in re.findall(r"`(--[a-z0-9-]+)`", row.split("|")[0])
}  # the table of routes has two columns
_SIMPLE: Final = [
    row
    for kind in (Settings, ServerSettings)
    for row in table(kind)
    if type(row.default) in {bool, int, float} and row.name != "pdf_examples"  # the table of routes has no defaults
]


def test_every_flag_of_serve_has_a_row() -> None:
    flags = {name for parameter in serve.params for name in parameter.opts if name.startswith("--")}
    assert set(_DEFAULTS) == flags - _ELSEWHERE


@pytest.mark.parametrize("row", _SIMPLE, ids=lambda row: row.name)
def test_a_row_has_the_default_of_the_setting(row: Setting) -> None:
    shown = _DEFAULTS[f"--{row.name.replace('_', '-')}"]
    if isinstance(row.default, bool):
        assert shown == ("on" if row.default else "off")
    else:
        assert shown.replace(",", "") == (row.default_text or f"{row.default:g}")


@pytest.mark.parametrize("flag", _EXPLAINED)
def test_a_row_begins_with_the_help_of_its_flag(flag: str) -> None:
    [text] = [each.help for each in serve.params if isinstance(each, click.Option) and flag in each.opts]
    assert _plain(_EXPLAINED[flag]).startswith(_plain(text or ""))


def _plain(text: str) -> str:
    """Return a text of the page or of the help, without the marks of code."""
    return text.replace("`", "").replace("'none'", "none").replace("[ADDRESS:]", "")
