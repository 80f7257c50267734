"""Whether the results reach the aims: a table made from the results."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.aims import AIMS, Aim
from benchmarks.cells import Cell, Column, cell
from benchmarks.charts import RAISED
from benchmarks.report import NOTHING, figure, row, rule
from benchmarks.results import Run, load

__all__ = ["UNMEASURED", "Verdict", "assess", "assessment"]

UNMEASURED = "not measured yet"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures of a run for an aim. ``title`` is the rival's; ``rounds`` is how many rounds have the figures."""

    aim: Aim
    own: Cell
    rival: Cell | None
    title: str
    rounds: str

    @property
    def value(self) -> float | None:
        """Return the figure or the ratio, or None if a figure is missing."""
        own, rival = self.own.spread, self.rival.spread if self.rival else None
        if own is None or self.rival is None:
            return own.median if own else None
        return own.median / rival.median if rival and rival.median else None

    @property
    def outcome(self) -> str:
        """Return the value in words, and whether it is within the bound."""
        if self.value is None:
            return self._lack()
        if self.aim.bound is None:
            return figure(self.value)
        return f"{'met' if self.aim.met(self.value) else '**missed**'}: {_shown(self.aim, self.value)}"

    @property
    def remarks(self) -> list[str]:
        """Return the remarks on the figures."""
        return [each.remark for each in (self.own, self.rival) if each and each.remark]

    def figures(self, marks: dict[str, str]) -> str:
        """Return the figures behind the value, each with the mark of its remark."""
        own = _marked(self.own, marks)
        return f"{own} / {_marked(self.rival, marks)} of {self.title}" if self.rival else own

    def _lack(self) -> str:
        """Return why there is no value. A server that did not respond, or failed, has missed the aim."""
        if self.own.spread:
            return f"**no figures** of {self.title}"
        tried = self.own.words not in {NOTHING, "missing"}
        return f"**missed**: {self.own.words}" if tried and self.aim.bound is not None else "**no figures**"


def assessment(results: Sequence[Path]) -> str:
    """Return a row for each aim of these results, and the remarks on the figures.

    A result that does not exist yet gives rows without figures.
    """
    runs = {path.name: load(path) for path in results if path.exists()}
    verdicts = [assess(aim, runs[aim.result]) for aim in AIMS if aim.result in runs]
    absent = {path.name for path in results} - runs.keys()
    remarks = dict.fromkeys(remark for each in verdicts for remark in each.remarks)
    marks = {remark: str(number).translate(RAISED) for number, remark in enumerate(remarks, 1)}
    lines = [row("aim", "asked", "came to", "figures", "rounds", "result"), rule(6, 6)]
    for each in verdicts:
        cells = (each.aim.asked, each.outcome, each.figures(marks), each.rounds, f"`{each.aim.result}`")
        lines.append(row(each.aim.words, *cells))
    waiting = [aim for aim in AIMS if aim.result in absent]
    lines += [row(aim.words, aim.asked, UNMEASURED, NOTHING, NOTHING, f"`{aim.result}`") for aim in waiting]
    notes = [f"{mark} {remark}." for remark, mark in marks.items()]
    return "\n".join([*lines, *(["", " ".join(notes)] if notes else [])]) + "\n"


def assess(aim: Aim, run: Run) -> Verdict:
    """Look up the figures of an aim in the run that it names."""
    rival = max(aim.rivals, key=lambda server: _speed(aim, run, server), default=None)
    found = None if rival is None else _cell(aim, run, rival)
    title = run.servers.get(rival, {}).get("title", rival) if rival else ""
    measured = min(_measured(aim, run, server) for server in (aim.server, rival) if server)
    asked = run.settings["rounds"]
    rounds = str(asked) if measured == asked else f"{measured} of {asked}"
    return Verdict(aim, _cell(aim, run, aim.server), found, title, rounds)


def _cell(aim: Aim, run: Run, server: str) -> Cell:
    return cell([run], Column(aim.scenario, aim.case, aim.metric, "", ""), server)


def _speed(aim: Aim, run: Run, server: str) -> float:
    """Return the figure that ranks the rivals: the first column of the case, for every aim."""
    metric = next(iter(run.columns(aim.scenario, aim.case)), aim.metric)
    found = cell([run], Column(aim.scenario, aim.case, metric, "", ""), server).spread
    return found.median if found else -1


def _measured(aim: Aim, run: Run, server: str) -> int:
    """Count the rounds that have the figure."""
    return sum(each.metrics.get(aim.metric) is not None for each in run.of(aim.scenario, aim.case, server))


def _shown(aim: Aim, value: float) -> str:
    """Write a value, with more digits if its rounded form would give another outcome."""
    words = figure(value)
    return words if aim.met(float(words.replace(",", ""))) == aim.met(value) else f"{value:,.4f}"


def _marked(found: Cell, marks: dict[str, str]) -> str:
    return f"{found.words} {marks[found.remark]}" if found.remark else found.words
