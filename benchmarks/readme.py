"""The tables and charts of README, of docs/performance.md and of the benchmarks' README, made from results.

Each is between marks:

<!-- table: large.json slow.json -->      or a chart: first, overview or crowds; of each case, the first result that
                                          has it; or aims; each is judged by the result that it names itself
the generated text
<!-- end -->
"""

import os
import re
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from benchmarks.cells import REQUESTS, THROUGHPUT, Column, cell, crowd, crowds, servers
from benchmarks.charts import CHARTS, DRAWN, alternative, chart
from benchmarks.report import NOTHING, row, rule
from benchmarks.results import RESULTS, Run, load
from benchmarks.verdicts import assessment

__all__ = ["DOCUMENTS", "README", "drawn", "embedded", "image", "picture", "summary"]

README = Path(__file__).parents[1] / "README.md"
DOCS = README.parent / "docs"
DOCUMENTS = (README, Path(__file__).with_name("README.md"), DOCS / "performance.md")
_MARKED = re.compile(
    r"(?P<begin><!-- (?P<what>table|first|overview|crowds|aims): (?P<names>[\w.-]+\.json( [\w.-]+\.json)*) -->\n)"
    r".*?(?P<end><!-- end -->)",
    re.DOTALL,
)


def embedded(text: str, folder: Path) -> str:
    """Return the document with the tables and charts that its marks name; links are relative to ``folder``."""
    return _MARKED.sub(lambda mark: f"{mark['begin']}\n{_made(mark, folder)}\n{mark['end']}", text)


def drawn(text: str) -> Iterator[tuple[str, list[Path]]]:
    """Yield the charts that a document shows, each with its results."""
    return ((mark["what"], _results(mark)) for mark in _MARKED.finditer(text) if mark["what"] in DRAWN)


def summary(runs: Sequence[Run]) -> str:
    """Return one line a server, medians only."""
    columns = list(_columns(runs))
    titles = [f"{column.title}: {column.unit}" if column.title else column.unit for column in columns]
    lines = [row("server", *titles), rule(1, len(columns) + 1)]
    for server, title in servers(runs).items():
        words = [cell(runs, column, server).words for column in columns]
        if set(words) != {NOTHING}:
            lines.append(row(title, *words))
    return "\n".join(lines) + "\n"


def image(name: str, results: Sequence[Path], folder: Path) -> str:
    """Return the Markdown that shows a chart on a page of the site: Sphinx copies the images of no other markup."""
    place = Path(os.path.relpath(CHARTS, folder)).as_posix()
    return f"![{alternative(chart(name, results))}]({place}/{name}-light.svg)\n"


def picture(name: str, results: Sequence[Path], folder: Path) -> str:
    """Return the markup that shows a chart on a light page and on a dark one."""
    place = Path(os.path.relpath(CHARTS, folder)).as_posix()
    return (
        "<picture>\n"
        f'  <source media="(prefers-color-scheme: dark)" srcset="{place}/{name}-dark.svg">\n'
        f'  <img src="{place}/{name}-light.svg" alt="{escape(alternative(chart(name, results)))}">\n'
        "</picture>\n"
    )


def _made(mark: re.Match[str], folder: Path) -> str:
    results = _results(mark)
    if mark["what"] == "table":
        return summary([load(path) for path in results])
    if mark["what"] == "aims":
        return assessment(results)
    return (image if folder == DOCS else picture)(mark["what"], results, folder)


def _results(mark: re.Match[str]) -> list[Path]:
    return [RESULTS / name for name in mark["names"].split()]


def _columns(runs: Sequence[Run]) -> Iterator[Column]:
    """Yield the columns of the table; a title appears once, at the first of its columns."""
    yield THROUGHPUT
    yield Column("large", "clients=1", "cpu_ms_per_gb", "", "CPU ms/GB")
    yield REQUESTS
    for count in crowds(runs)[-1:]:
        yield crowd(count, "started", "started")
        for metric, unit in (("kb_per_connection", "KB for each"), ("probe_p99_ms", "probe p99 ms")):
            yield Column("slow", f"clients={count}", metric, "", unit)
