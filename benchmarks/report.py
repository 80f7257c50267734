"""Tables in Markdown, made from results only."""

import math
from collections.abc import Iterator, Sequence

from benchmarks.results import Run, Sample

__all__ = ["NOTHING", "compare", "figure", "note", "reason", "report", "row", "rule", "shared"]

COLUMNS = {
    "mb_per_s": "MB/s",
    "cpu_ms_per_gb": "server CPU ms/GB",
    "server_percent": "server CPU %",
    "client_percent": "client CPU %",
    "requests_per_s": "requests/s",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "cpu_ms_per_1000": "server CPU ms/1,000",
    "first_byte_ms": "first byte p50 ms",
    "ranges_per_s": "ranges/s",
    "ranges_cpu_ms_per_1000": "server CPU ms/1,000 ranges",
    "page_kb": "page KB",
    "started": "started",
    "probe_p50_ms": "probe p50 ms",
    "probe_p99_ms": "probe p99 ms",
    "undisturbed_p99_ms": "the same without standstills",
    "standstill_ms": "standstills, ms",
    "probe_timeouts": "probe timeouts",
    "kb_per_connection": "KB per connection",
    "cpu_ms_first_second": "CPU ms in the first second",
    "descriptors_left": "descriptors left",
    "client_cpu_ms_per_gb": "client CPU ms/GB",
    "peak_mb": "client peak MB",
    "upstream_connections": "connections to the store",
    "round_trips": "round trips to the store",
}
NOTHING = "-"
SILENT = "no response"


def report(run: Run) -> str:
    """Return every table of a run, and what it was run on."""
    lines = [*_preface(run)]
    for scenario, about in run.scenarios.items():
        lines += ["", f"## {about['title']}"]
        for case in run.cases(scenario) or [""]:
            lines += ["", f"### {case or 'no case'}{_drivers(run, scenario, case)}", "", *_table(run, scenario, case)]
    return "\n".join([*lines, *_missing(run)]) + "\n"


def compare(before: Run, after: Run) -> str:
    """Return the medians of both runs side by side, with their ratio, for every case both have; or nothing."""
    rows: list[str] = []
    for scenario in before.scenarios:
        for case in before.cases(scenario):
            rows += _differences(before, after, scenario, case, before.columns(scenario, case))
    head = row("scenario", "case", "server", "metric", "before", "after", "ratio")
    return "\n".join([*_preamble(before, after), "", head, rule(3, 7), *rows]) + "\n" if rows else ""


def _preamble(before: Run, after: Run) -> Iterator[str]:
    yield f"Before: {before.date}, {before.machine['revision']}. After: {after.date}, {after.machine['revision']}."
    if before.settings["quick"] != after.settings["quick"]:
        quick, full = ("before", "after") if before.settings["quick"] else ("after", "before")
        yield f"**A quick run ({quick}) and a full one ({full}): their figures do not compare.**"


def _preface(run: Run) -> Iterator[str]:
    machine, pins = run.machine, run.machine["pinned"]
    kind = "quick run, " if run.settings["quick"] else ""
    yield f"{run.date}, {kind}{run.settings['rounds']} rounds, {run.seconds:,.0f} s: `{run.command}`"
    yield ""
    yield f"{machine['cpu']}, {machine['cores']} cores, {machine['memory']}, {machine['system']}, {machine['python']}."
    yield f"Server on core {pins['server']}, client on core {pins['client']}, probe on core {pins['probe']}."
    baseline = _title(run, run.baseline)
    yield f"Medians (lowest to highest); the ratio, of the first column, is to {baseline} where nothing else is said."
    if "load_before" in machine:
        yield f"Before the run the machine had a load of {machine['load_before']:.2f}."
    if words := shared(run):
        yield f"**{words}**"
    if not run.complete:
        yield "**The run was interrupted.**"


def shared(run: Run) -> str:
    """Return a warning if server and client are on the same core; otherwise an empty text."""
    pins = run.machine["pinned"]
    one = pins["server"] == pins["client"]
    return f"Server and client share core {pins['server']}: each takes time from the other." if one else ""


def _title(run: Run, server: str) -> str:
    title: str = run.servers.get(server, {}).get("title", server)
    return title


def _table(run: Run, scenario: str, case: str) -> Iterator[str]:
    columns = run.columns(scenario, case)
    own = run.scenarios[scenario].get("baseline")
    rows = "client" if any(run.servers[each].get("client") for each in run.contestants(scenario)) else "server"
    ratio = f"ratio to {_title(run, own)}" if own else "ratio"
    yield row(rows, *(COLUMNS[column] for column in columns), ratio, "note")
    yield rule(1, len(columns) + 3)
    for server, about in run.servers.items():
        samples = run.of(scenario, case, server)
        if samples:
            cells = (_spread(run, scenario, case, server, column) for column in columns)
            ratio = _ratio(run, scenario, case, server, columns[0])
            yield row(about["title"], *cells, ratio, note(samples))


def _ratio(run: Run, scenario: str, case: str, server: str, metric: str) -> str:
    own = run.spread(scenario, case, server, metric)
    baseline = run.spread(scenario, case, run.scenarios[scenario].get("baseline") or run.baseline, metric)
    return f"{own.median / baseline.median:.2f}" if own and baseline and baseline.median else NOTHING


def note(samples: Sequence[Sample]) -> str:
    """Return the note of a row: failures, refusals, and whether the driver was too slow."""
    words = [each.error for each in samples] + [each.note for each in samples]
    saturated = sum(each.client_saturated for each in samples)
    words += [f"client saturated in {saturated} of {len(samples)}"] if saturated else []
    failed = sum(int(each.metrics.get("errors") or 0) for each in samples)
    words += [f"{failed} failed requests"] if failed else []
    return "; ".join(dict.fromkeys(word.replace("|", "/") for word in words if word))


def _drivers(run: Run, scenario: str, case: str) -> str:
    found = {each.driver for each in run.samples if (each.scenario, each.case) == (scenario, case) and each.driver}
    return f" (driver: {', '.join(sorted(found))})" if found else ""


def _missing(run: Run) -> Iterator[str]:
    absent = {about["title"]: about["missing"] for about in run.servers.values() if about["missing"]}
    if absent:
        yield from ("", "## Missing", "")
        yield from (f"- {title}: {reason}" for title, reason in absent.items())


def _differences(before: Run, after: Run, scenario: str, case: str, columns: list[str]) -> Iterator[str]:
    for server in before.servers:
        for column in columns:
            old, new = (run.spread(scenario, case, server, column) for run in (before, after))
            words = [_median(run, scenario, case, server, column) for run in (before, after)]
            if NOTHING not in words:
                ratio = f"{new.median / old.median:.2f}" if old and new and old.median else NOTHING
                yield row(scenario, case, server, COLUMNS[column], *words, ratio)


def _median(run: Run, scenario: str, case: str, server: str, metric: str) -> str:
    found = run.spread(scenario, case, server, metric)
    return figure(found.median) if found else reason(run.of(scenario, case, server), metric)


def _spread(run: Run, scenario: str, case: str, server: str, metric: str) -> str:
    """Write the median, and the lowest and highest if they differ; a round without a response ranks highest."""
    words, found = _median(run, scenario, case, server, metric), run.spread(scenario, case, server, metric)
    silent = any(each.silent(metric) for each in run.of(scenario, case, server))
    if found is None or (found.low == found.high and not silent):
        return words
    return f"{words} ({figure(found.low)} to {SILENT if silent else figure(found.high)})"


def reason(samples: Sequence[Sample], metric: str) -> str:
    """Return why there is no figure."""
    silent = [each for each in samples if each.silent(metric)]
    lost = sum(each.metrics.get("probe_timeouts") or 0 for each in silent)
    if lost:
        asked = sum(each.metrics.get("probes") or 0 for each in silent)
        return SILENT if lost >= asked else f"{math.floor(100 * lost / asked)} % unanswered"
    return "failed" if any(each.error for each in samples) else NOTHING


def figure(value: float) -> str:
    """Write three figures or so, and a whole number as one.

    >>> figure(1234.5), figure(12.34), figure(0.456), figure(8)
    ('1,234', '12.3', '0.46', '8')
    """
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def row(*cells: str) -> str:
    """Write a row of a table."""
    return f"| {' | '.join(cells)} |"


def rule(left: int, columns: int) -> str:
    """Write the rule below a table's head; the first `left` columns are of text."""
    return f"|{'---|' * left}{'---:|' * (columns - left)}"
