"""The help of commands with many options: `--help` shows the common options, `--help-all` all of them."""

from collections.abc import Iterator, Mapping
from textwrap import fill
from typing import Any, Final

import click

__all__ = ["SectionedCommand", "Sections"]


Sections = Mapping[str, str]  # by title: the names of the section's parameters, with spaces between them
_SHOWS_ALL: Final = f"{__name__}.shows_all"
_OTHERS: Final = "Other options"
_NAMED: Final = "More options, which --help-all explains"
_MAX_NAMES: Final = 30  # columns for the names of options; longer names have a line of their own


class SectionedCommand(click.Command):
    """A command whose help has sections: those of `common` are in `--help`, those of `more` only in `--help-all`.

    `--help` names the options of `more`, so that a search in it finds them.
    Options without a section are the last ones in `--help-all`. Sections without an option are left out, so several
    commands can have the same sections.
    """

    def __init__(self, *args: Any, common: Sections, more: Sections, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._common = common
        self._more = more
        help_all: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False, "callback": _show_all}
        self.params.append(click.Option(["--help-all"], help="Show all options and exit.", **help_all))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of each section."""
        records = list(self._records(ctx))
        width = min(_MAX_NAMES, max(len(names) for _, (names, _) in records))
        shows_all = ctx.meta.get(_SHOWS_ALL, False)
        for title, rows in self._sections(records, shows_all=shows_all):
            with formatter.section(title):
                formatter.write_dl([(f"{names:<{width}}", text) for names, text in rows])
        if not shows_all:
            with formatter.section(_NAMED):
                formatter.write(f"{_wrapped(self._named(), formatter)}\n")

    def _named(self) -> list[str]:
        """Return the first long flags of the options of `more`."""
        listed = " ".join(self._more.values()).split()
        flags = [(_name_of(param), next(filter(_is_long, param.opts), "")) for param in self.params]
        return [flag for wanted in listed for name, flag in flags if name == wanted and flag]

    def _records(self, ctx: click.Context) -> Iterator[tuple[str, tuple[str, str]]]:
        """Yield the name of each option and the two texts of its line.

        If a switch is off by default, the line shows only how to set it.
        """
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                names, text = record
                is_off = param.secondary_opts and param.default is False
                yield _name_of(param), (names.partition(" / ")[0] if is_off else names, text)

    def _sections(
        self, records: list[tuple[str, tuple[str, str]]], *, shows_all: bool
    ) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        sections = {**self._common, **self._more} if shows_all else self._common
        for title, listed in sections.items():
            if rows := [record for wanted in listed.split() for name, record in records if name == wanted]:
                yield title, rows
        listed_anywhere = " ".join([*self._common.values(), *self._more.values()]).split()
        others = [record for name, record in records if name not in listed_anywhere]
        if shows_all and others:
            yield _OTHERS, others


def _wrapped(flags: list[str], formatter: click.HelpFormatter) -> str:
    """Return lines of flags. Those of click would break a flag at its hyphens."""
    indent = " " * formatter.current_indent
    return fill(
        " ".join(flags), formatter.width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def _is_long(flag: str) -> bool:
    return flag.startswith("--")


def _name_of(param: click.Parameter) -> str:
    """Return the name of a parameter; click may give another name to that of `--help`."""
    return "help" if "--help" in param.opts else param.name or ""


def _show_all(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        context.meta[_SHOWS_ALL] = True
        click.echo(context.get_help(), color=context.color)
        context.exit()
