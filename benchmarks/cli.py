"""The commands: list, run, check, compare, report."""

import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks.charts import CHARTS, DRAWN
from benchmarks.check import check
from benchmarks.process import exit_on_termination, raise_descriptor_limit
from benchmarks.readme import DOCUMENTS, drawn, embedded
from benchmarks.report import compare, report
from benchmarks.results import RESULTS, Run, latest, load, save
from benchmarks.run import execute, prepare
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import SERVERS
from benchmarks.settings import FULL, QUICK, Settings

__all__ = ["main"]

RESULT = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group(name="benchmarks")
def main() -> None:
    """Compare download servers on this machine."""


@main.command(name="list")
def list_all() -> None:
    """Show the scenarios, and the servers with what they need."""
    for scenario in SCENARIOS.values():
        click.echo(f"scenario  {scenario.name:<18}{scenario.title}")
    for server in SERVERS.values():
        missing = server.missing()
        state = f"missing: {missing}" if missing else server.versions()
        click.echo(f"server    {server.name:<18}{server.title} [{state}]")


@main.command()
@click.option("--scenario", "scenarios", multiple=True, type=click.Choice(list(SCENARIOS)), help="Default: all.")
@click.option("--server", "servers", multiple=True, type=click.Choice(list(SERVERS)), help="Default: all.")
@click.option("--quick", is_flag=True, help="One short round of everything, in three minutes.")
@click.option("--rounds", type=click.IntRange(1, 100))
@click.option("--clients", multiple=True, type=click.IntRange(1, 1000), help="Of the large file; repeatable.")
@click.option("--slow-clients", multiple=True, type=click.IntRange(1, 10_000), help="Repeatable.")
@click.option("--leaving-clients", type=click.IntRange(1, 10_000))
@click.option("--cold-files", type=click.IntRange(1, 32))
@click.option("--window", type=click.FloatRange(0.1, 60), help="Seconds of each timed stretch of requests.")
@click.option("--driver", type=click.Choice(["auto", "wrk", "own"]), help="Of small files.")
@click.option("--directory", type=FOLDER, default=Path(tempfile.gettempdir()), help="Where the files are written.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: a new result.")
def run(
    scenarios: tuple[str, ...],
    servers: tuple[str, ...],
    directory: Path,
    output: Path | None,
    quick: bool,
    **amounts: object,
) -> None:
    """Measure, write a result, and say where it is."""
    exit_on_termination()
    raise_descriptor_limit()
    settings = _settings(amounts, quick=quick)
    chosen = [SCENARIOS[name] for name in scenarios or SCENARIOS]
    contestants = [SERVERS[name] for name in servers or SERVERS]
    result = prepare(settings, chosen, contestants, _command(sys.argv[1:]))
    path = output or _new_result(result)
    try:
        execute(result, settings, chosen, contestants, directory)
    finally:
        save(result, path)
        click.echo(f"{path} ({result.seconds:.0f} s)", err=True)


def _command(arguments: list[str]) -> str:
    """Return how to measure the same again, wherever this result is written."""
    words = iter(arguments)
    kept = [word for word in words if not (word in {"-o", "--output"} and next(words))]
    return shlex.join(["python", "-m", "benchmarks", *kept])


@main.command(name="check")
@click.argument("result", type=RESULT)
def check_one(result: Path) -> None:
    """Fail when a result is not complete, and say what it lacks; how good its figures are is not asked."""
    found = check(result)
    for hole in found:
        click.echo(f"{result}: {hole}", err=True)
    if found:
        raise SystemExit(1)


@main.command(name="compare")
@click.argument("before", type=RESULT)
@click.argument("after", type=RESULT)
def compare_two(before: Path, after: Path) -> None:
    """Print the medians of two results side by side."""
    click.echo(compare(load(before), load(after)), nl=False)


@main.command(name="report")
@click.argument("results", nargs=-1, type=RESULT)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Instead of printing.")
@click.option("--charts", type=click.Path(file_okay=False, path_type=Path), help="Draw into this folder, too.")
def report_all(results: tuple[Path, ...], output: Path | None, charts: Path | None) -> None:
    """Write the tables of the results, or of the newest one, as Markdown; charts are of all of them together."""
    newest = latest(RESULTS.glob("*.json"))
    paths = results or ((newest,) if newest else ())
    if not paths:
        raise click.UsageError("there is no result yet; run something first")
    text = "\n".join(report(load(path)) for path in paths)
    if output:
        output.write_text(text)
    else:
        click.echo(text, nl=False)
    if charts:
        _draw(dict.fromkeys(DRAWN, paths), charts)


@main.command(name="readme")
def update_readme() -> None:
    """Write the tables and charts of README and of the benchmarks' own from the results that their marks name."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        _draw(dict(drawn(text)), CHARTS)
        document.write_text(embedded(text, document.parent), encoding="utf-8")


def _draw(charts: Mapping[str, Sequence[Path]], folder: Path) -> None:
    from benchmarks.drawing import draw  # matplotlib takes a second to import, and measuring does without it

    for name, results in charts.items():
        for path in draw(name, results, folder):
            click.echo(path, err=True)


def _settings(amounts: Mapping[str, object], *, quick: bool) -> Settings:
    """Take what was asked for over what a full or quick run does; an option not given is None or empty."""
    given = {name: value for name, value in amounts.items() if value not in {None, ()}}
    return replace(QUICK if quick else FULL, **given)  # type: ignore[arg-type]  # click has checked each


def _new_result(result: Run) -> Path:
    kind = "quick" if result.settings["quick"] else "full"
    return RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{kind}.json"
