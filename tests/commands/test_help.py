"""`--help` and `--help-all`: the common options of each command fit on a screen, and no option is missing."""

import re

import click
import pytest

from async_downloads.cli import cli
from async_downloads.commands.help import SectionedCommand

COMMANDS = sorted(cli.commands)
SCREEN_LINES = 50


def _command(name: str) -> click.Command:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


def _help(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(list(arguments), prog_name="async-downloads", standalone_mode=False) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_fits_on_a_screen(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = _help(capsys, name, "--help")
    assert len(text.splitlines()) <= SCREEN_LINES
    assert max(map(len, text.splitlines())) <= 100


SECTIONED = [name for name in COMMANDS if isinstance(_command(name), SectionedCommand)]


@pytest.mark.parametrize("name", SECTIONED)
def test_help_all_shows_each_option_once_and_in_a_section(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    common, everything = _help(capsys, name, "--help"), _help(capsys, name, "--help-all")
    options = [each for each in _command(name).params if isinstance(each, click.Option) and not each.hidden]
    for option in options:
        longest = re.escape(max(option.opts, key=len))
        assert len(re.findall(rf"^  (?:-\S+, )*{longest}(?:[ ,]|$)", everything, re.MULTILINE)) == 1, longest
    assert "Other options" not in everything
    assert len(common.splitlines()) < len(everything.splitlines())


@pytest.mark.parametrize("name", SECTIONED)
def test_a_search_in_the_short_help_finds_each_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = _help(capsys, name, "--help").replace(",", " ").split()
    options = [each for each in _command(name).params if isinstance(each, click.Option) and not each.hidden]
    assert [option.opts for option in options if not set(option.opts) & set(words)] == []


def test_the_commands_that_have_many_options_have_sections() -> None:
    assert SECTIONED == ["get", "run", "serve"]


def test_the_routes_of_the_tutorials_come_last(capsys: pytest.CaptureFixture[str]) -> None:
    titles = re.findall(r"^(\w.*):$", _help(capsys, "serve", "--help-all"), re.MULTILINE)
    assert (titles[0], titles[-1]) == ("Options", "Routes of the Flask tutorials")


def test_a_switch_that_is_off_is_shown_by_what_sets_it(capsys: pytest.CaptureFixture[str]) -> None:
    text = _help(capsys, "serve", "--help-all")
    assert "--no-hidden" not in text
    assert "--precompressed / --no-precompressed" in text


def test_an_option_without_a_section_is_shown_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    options = [click.Option(["--new"], help="Not yet sorted.")]
    command = SectionedCommand("fly", params=options, common={"Options": "help_all help"}, more={"More": "missing"})
    for flag, is_shown in (("--help", False), ("--help-all", True)):
        command.main([flag], standalone_mode=False)
        assert ("Other options:\n  --new" in capsys.readouterr().out) is is_shown
