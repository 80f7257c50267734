"""The content of the charts, without the drawing: rows of servers, and a panel of bars for each column.

block   heading      title          title          title       } panels, each with its own scale from zero
                     unit           unit           unit
        server       ======= 12     ====== 3,456   missing
        server       ==== 7.5       === 2,345 ¹    no response
notes   ¹ a remark on the figure
"""

import hashlib
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells import REQUESTS, THROUGHPUT, Cell, Column, cell, crowd, crowds, servers
from benchmarks.report import NOTHING
from benchmarks.results import RESULTS, Run, load

__all__ = ["CHARTS", "DRAWN", "KINDS", "THEMES", "Block", "Chart", "Panel", "alternative", "chart", "kind", "source"]

CHARTS = RESULTS / "charts"
THEMES = ("light", "dark")
# Rows are in this order. A server whose name has one of the prefixes is of that kind; all others are peers.
PREFIXES = {"ours": ("serve-", "run-", "ours-"), "flask": ("flask-",), "limit": ("nginx", "floor-")}
KINDS = ("ours", "flask", "peer", "limit")
# Titles that are too long for a chart.
LABELS = {
    "flask-gthread-8": "Flask, gunicorn, 8 threads",
    "flask-gthread-64": "Flask, gunicorn, 64 threads",
    "quart-stock": "Quart, Hypercorn",
    "starlette": "Starlette, uvicorn",
    "floor-hypercorn": "floor: Hypercorn, memory",
    "floor-quart": "floor: Quart, bytes",
    "serve-asyncio": "async-downloads, asyncio",
    "serve-uvloop": "async-downloads, uvloop",
    "serve-before": "an earlier version",
    "run-quart": "Quart view on our server",
    "ours-quart": "Quart view on Hypercorn",
    "ours-uvicorn": "our app, uvicorn",
    "ours-granian": "our app, Granian",
}
# The chart of README's first screen: what a reader compares before a closer look.
FIRST = ("serve-asyncio", "run-quart", "ours-quart", "flask-gthread-8", "nginx")
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
REMARK = 110  # characters of a remark that fit below a chart


@dataclass(frozen=True, slots=True)
class Panel:
    """A column of bars; ``full`` is what the longest one could be, when that is known."""

    column: Column
    cells: dict[str, Cell]
    full: float | None = None

    @property
    def limit(self) -> float:
        """Return where the scale, which begins at zero, ends."""
        return self.full or max((each.spread.high for each in self.cells.values() if each.spread), default=0) or 1

    @property
    def known(self) -> bool:
        """Return whether there is any figure."""
        return any(each.words not in {NOTHING, "missing"} for each in self.cells.values())


@dataclass(frozen=True, slots=True)
class Block:
    """Panels with the same rows."""

    heading: str
    panels: list[Panel]


@dataclass(frozen=True, slots=True)
class Chart:
    """All that is drawn; ``rows`` has the label of each server."""

    name: str
    rows: dict[str, str]
    blocks: list[Block]
    about: str

    @property
    def remarks(self) -> dict[str, str]:
        """Return the mark of each remark."""
        cells = (each for block in self.blocks for panel in block.panels for each in panel.cells.values())
        found = dict.fromkeys(each.remark for each in cells if each.remark)
        return {remark: str(number).translate(RAISED) for number, remark in enumerate(found, 1)}

    @property
    def notes(self) -> list[str]:
        """Return the lines below the chart."""
        lines = [f"{mark} {textwrap.shorten(remark, REMARK)}" for remark, mark in self.remarks.items()]
        return [*lines, self.about]

    def words(self, found: Cell) -> str:
        """Return the text at a bar."""
        return f"{found.words} {self.remarks[found.remark]}" if found.remark else found.words


def chart(name: str, results: Sequence[Path]) -> Chart:
    """Return the chart of that name, a key of ``DRAWN``, from results that supplement one another."""
    runs = [load(path) for path in results]
    drawn = ((block.heading, [panel for panel in block.panels if panel.known]) for block in DRAWN[name](runs))
    blocks = [Block(heading, panels) for heading, panels in drawn if panels]
    panels = [panel for block in blocks for panel in block.panels]
    shown = {server for panel in panels for server, found in panel.cells.items() if found != Cell(NOTHING)}
    rows = {server: label for server, label in _labels(runs).items() if server in shown}
    return Chart(name, rows, blocks, _about(runs, results))


def kind(server: str) -> str:
    """Return the kind of a server, as the charts show it.

    >>> kind("serve-uvloop"), kind("flask-sync"), kind("aiohttp"), kind("nginx")
    ('ours', 'flask', 'peer', 'limit')
    """
    return next((name for name, prefixes in PREFIXES.items() if server.startswith(prefixes)), "peer")


def source(results: Sequence[Path]) -> str:
    """Return the names of the results and a digest of their content; each chart carries it."""
    return " ".join(f"{path.name} sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in results)


def alternative(drawn: Chart) -> str:
    """Describe in words the figures of our first server and of the first Flask server."""
    firsts = (next((server for server in drawn.rows if kind(server) == each), None) for each in ("ours", "flask"))
    shown = [server for server in firsts if server]
    panels = ((block, panel) for block in drawn.blocks for panel in block.panels)
    figures = (f"{_called(*each)}: {' / '.join(each[1].cells[server].words for server in shown)}." for each in panels)
    return " ".join((f"{' / '.join(drawn.rows[server] for server in shown)}.", *figures))


def _called(block: Block, panel: Panel) -> str:
    return f"{panel.column.title}, {block.heading or panel.column.unit}"


def _first(runs: Sequence[Run]) -> Iterator[Block]:
    """Five servers: small requests, and one client's throughput."""
    yield Block("", [_panel(runs, column, shown=FIRST) for column in (REQUESTS, THROUGHPUT)])


def _overview(runs: Sequence[Run]) -> Iterator[Block]:
    """One client's throughput, small requests, and the largest crowd with the probe meanwhile."""
    most = crowds(runs)[-1:]
    panels = [_panel(runs, column) for column in (THROUGHPUT, REQUESTS)]
    panels += [_panel(runs, crowd(count, "started", "clients that started"), count) for count in most]
    panels += [_panel(runs, crowd(count, "probe_p99_ms", "probe p99 ms, less is better")) for count in most]
    yield Block("", panels)


def _crowds(runs: Sequence[Run]) -> Iterator[Block]:
    """Started clients, response times of the probe, and memory, for each size of crowd."""
    counts = crowds(runs)
    yield Block(
        "Clients that started", [_panel(runs, crowd(each, "started", "scale: all of them"), each) for each in counts]
    )
    for heading, metric in (
        ("Probe meanwhile, p99 ms", "probe_p99_ms"),
        ("KB of memory for each", "kb_per_connection"),
    ):
        panels = [_panel(runs, crowd(count, metric, "less is better")) for count in counts]
        together = max((panel.limit for panel in panels), default=None)
        yield Block(heading, [Panel(panel.column, panel.cells, together) for panel in panels])


def _panel(
    runs: Sequence[Run], column: Column, full: float | None = None, *, shown: Sequence[str] | None = None
) -> Panel:
    """Return the column of the servers that are ``shown``; of all, if it is None."""
    cells = {server: cell(runs, column, server) for server in servers(runs) if shown is None or server in shown}
    return Panel(column, cells, full)


def _labels(runs: Sequence[Run]) -> dict[str, str]:
    titles = servers(runs)
    ordered = sorted(titles, key=lambda server: KINDS.index(kind(server)))
    return {server: LABELS.get(server, titles[server]) for server in ordered}


def _about(runs: Sequence[Run], results: Sequence[Path]) -> str:
    """Describe the figures: how they are computed, and from which runs."""
    processors = " / ".join(dict.fromkeys(f"{run.machine['cpu']}, {run.machine['python']}" for run in runs))
    rounds = " / ".join(dict.fromkeys(str(run.settings["rounds"]) for run in runs))
    files = ", ".join(f"{path.name}{_doubt(run)}" for path, run in zip(results, runs, strict=True))
    return f"One core of {processors}. Medians, lowest and highest of {rounds} rounds: {files}"


def _doubt(run: Run) -> str:
    """Mark a quick or interrupted run."""
    return f"{' (quick)' if run.settings['quick'] else ''}{'' if run.complete else ' (interrupted)'}"


DRAWN: dict[str, Callable[[Sequence[Run]], Iterator[Block]]] = {
    "first": _first,
    "overview": _overview,
    "crowds": _crowds,
}
