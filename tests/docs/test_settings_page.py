"""The page of settings lists each flag of `serve` once, with its default."""

import re
from typing import Final

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
