"""The commands: list, run, check, compare, report."""

import math
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from benchmarks.charts import CHARTS, DRAWN
from benchmarks.check import check
from benchmarks.machine import drivers
from benchmarks.process import exit_on_termination, raise_descriptor_limit
from benchmarks.readme import DOCUMENTS, drawn, embedded
from benchmarks.report import compare, report, shared
from benchmarks.results import RESULTS, ResultError, Run, latest, load, reading, rehearse, save
from benchmarks.run import execute, prepare
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import SERVERS
from benchmarks.settings import FULL, QUICK, Settings

__all__ = ["main"]

RESULT = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def _number(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    """Refuse nan, which is in every range."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is not a number of seconds.")
    return value


@click.group(name="benchmarks")
def main() -> None:
    """Compare download servers on this machine."""


@main.command(name="list")
def list_all() -> None:
    """Show the scenarios, the servers with what they need, and the load drivers."""
    for scenario in SCENARIOS.values():
        click.echo(f"scenario  {scenario.name:<18}{scenario.title}")
    for server in SERVERS.values():
        missing = server.missing()
        state = f"missing: {missing}" if missing else server.versions()
        click.echo(f"server    {server.name:<18}{server.title} [{state}]")
    for driver, version in drivers().items():
        click.echo(f"driver    {driver:<18}[{version or 'missing: not installed'}]")


@main.command()
@click.option("--scenario", "scenarios", multiple=True, type=click.Choice(list(SCENARIOS)), help="Default: all.")
@click.option("--server", "servers", multiple=True, type=click.Choice(list(SERVERS)), help="Default: all.")
@click.option("--quick", is_flag=True, help="One short round of everything, in a few minutes.")
@click.option("--rounds", type=click.IntRange(1, 100))
@click.option("--clients", multiple=True, type=click.IntRange(1, 1000), help="Of the large file; repeatable.")
@click.option("--slow-clients", multiple=True, type=click.IntRange(1, 10_000), help="Repeatable.")
@click.option("--leaving-clients", type=click.IntRange(1, 10_000))
@click.option("--cold-files", type=click.IntRange(1, 32))
@click.option(
    "--window", type=click.FloatRange(0.1, 60), callback=_number, help="Seconds of each timed stretch of requests."
)
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
    """Measure, write a result, and print its path."""
    exit_on_termination()
    raise_descriptor_limit()
    settings = _settings(amounts, quick=quick)
    chosen = [SCENARIOS[name] for name in scenarios or SCENARIOS]
    contestants = [SERVERS[name] for name in servers or SERVERS]
    result = prepare(settings, chosen, contestants, _command(sys.argv[1:]))
    path = output or _new_result(result)
    _look_ahead(result, scenarios, path)
    try:
        execute(result, settings, chosen, contestants, directory, partial(_keep, result, path))
    except OSError as error:
        _end(f"{directory}: no place for the files, {error.strerror}; name another folder with --directory", 1)
    finally:
        kept = bool(result.samples) and _keep(result, path)
        if kept:
            click.echo(f"{path} ({result.seconds:.0f} s)", err=True)
    if not kept:
        raise SystemExit(1)


def _look_ahead(result: Run, named: Sequence[str], path: Path) -> None:
    """Before hours of measuring, refuse a run that cannot give a result, and warn about one with doubtful figures."""
    idle = [name for name in result.scenarios if not result.contestants(name)]
    if idle and (idle == list(result.scenarios) or set(idle) & set(named)):
        _end(f"none of the servers takes part in {', '.join(idle)}; see `python -m benchmarks list`", 2)
    try:
        rehearse(result, path)
    except OSError as error:
        _end(f"{path}: cannot be written, {error.strerror}; name another file with -o", 2)
    if words := shared(result):
        click.echo(words, err=True)


def _keep(result: Run, path: Path) -> bool:
    """Save the samples so far. A disk that is full now may have room when the files of the run are deleted."""
    try:
        save(result, path)
    except OSError as error:
        click.echo(f"{path}: not saved, {error.strerror}", err=True)
        return False
    return True


def _end(words: str, code: int) -> NoReturn:
    """Print one line and exit."""
    click.echo(words, err=True)
    raise SystemExit(code)


def _command(arguments: list[str]) -> str:
    """Return the command that repeats the run, without its output file."""
    words = iter(arguments)
    kept = [word for word in words if not (word in {"-o", "--output"} and next(words))]
    return shlex.join(["python", "-m", "benchmarks", *kept])


@main.command(name="check")
@click.argument("result", type=RESULT)
def check_one(result: Path) -> None:
    """Check that a result is complete, and print what is missing; its figures are not judged."""
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
    runs = [_loaded(path) for path in (before, after)]
    with _naming(before, after):
        text = compare(*runs)
    if not text:
        _end(f"{before}, {after}: no server has a figure of the same case in both", 1)
    click.echo(text, nl=False)


@main.command(name="report")
@click.argument("results", nargs=-1, type=RESULT)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Instead of printing.")
@click.option("--charts", type=click.Path(file_okay=False, path_type=Path), help="Draw into this folder, too.")
def report_all(results: tuple[Path, ...], output: Path | None, charts: Path | None) -> None:
    """Write the tables of the results, or of the newest one, as Markdown; charts are of all of them together."""
    paths = results or _newest()
    text = "\n".join(map(_reported, paths))
    if output:
        output.write_text(text)
    else:
        click.echo(text, nl=False)
    if charts:
        _draw(dict.fromkeys(DRAWN, paths), charts)


def _newest() -> tuple[Path]:
    newest = latest(RESULTS.glob("*.json"))
    if newest is None:
        raise click.UsageError("there is no result yet; run something first")
    return (newest,)


def _reported(path: Path) -> str:
    with _naming(path):
        return report(load(path))


def _loaded(path: Path) -> Run:
    with _naming(path):
        return load(path)


@contextmanager
def _naming(*paths: Path) -> Iterator[None]:
    """For a file that is not a result, or not a complete one, print the line that `check` prints, and exit."""
    try:
        with reading():
            yield
    except ResultError as error:
        _end(f"{', '.join(map(str, paths))}: {error}", 2)


@main.command(name="readme")
def update_readme() -> None:
    """Update the tables and charts of both README files from the results that their marks name."""
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
    """Return the settings of a full or quick run, changed by the given options; an absent one is None or empty."""
    given = {name: value for name, value in amounts.items() if value not in {None, ()}}
    return replace(QUICK if quick else FULL, **given)  # type: ignore[arg-type]  # click has checked each


def _new_result(result: Run) -> Path:
    kind = "quick" if result.settings["quick"] else "full"
    return RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{kind}.json"
