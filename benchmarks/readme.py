"""The table of README, made from a result and put between its marks."""

import re
from pathlib import Path

from benchmarks.report import NOTHING, figure, row, rule
from benchmarks.results import RESULTS, Run, load

__all__ = ["README", "embedded", "summary"]

README = Path(__file__).parents[1] / "README.md"
# What is shown of a run: scenario, case, metric, and what the column is called.
COLUMNS = (
    ("large", "clients=1", "mb_per_s", "1 GiB file: MB/s"),
    ("large", "clients=1", "cpu_ms_per_gb", "CPU ms/GB"),
    ("small", "1k", "requests_per_s", "1 KiB files: requests/s"),
    ("slow", "clients=1000", "started", "1,000 slow clients: started"),
    ("slow", "clients=1000", "kb_per_connection", "KB for each"),
    ("slow", "clients=1000", "probe_p99_ms", "probe p99 ms"),
)
_MARKED = re.compile(r"(<!-- (?P<name>[\w.-]+\.json) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def summary(run: Run) -> str:
    """Return one line a server, medians only."""
    lines = [row("server", *(title for *_, title in COLUMNS)), rule(1, len(COLUMNS) + 1)]
    for server, about in run.servers.items():
        spreads = [run.spread(scenario, case, server, metric) for scenario, case, metric, _ in COLUMNS]
        cells = (figure(found.median) if found else NOTHING for found in spreads)
        if any(spreads):
            lines.append(row(about["title"], *cells))
    return "\n".join(lines) + "\n"


def embedded(text: str) -> str:
    """Return README's text with the table of the result that its mark names."""
    return _MARKED.sub(lambda mark: f"{mark[1]}\n{summary(load(RESULTS / mark['name']))}\n{mark[3]}", text)
