"""HTTPS, with HTTP/1.1 and with HTTP/2: the small file many at a time, and the large one."""

import random
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import httpx

from benchmarks.load.h2load import CIPHER, SPARE, Responses, download, installed, requests
from benchmarks.proc import Meter, Spent
from benchmarks.scenarios.base import Bench, Measurement, Scenario, spent_metrics
from benchmarks.settings import KIB, BenchmarkError
from benchmarks.stats import percentile
from benchmarks.tree import LARGE, PROBE

__all__ = ["FREQUENCY", "SCENARIO", "THROUGHPUT", "Case", "columns", "measure_cases"]

EXPECTED = f"TLSv1.3, {CIPHER}"
VERSIONS = {"tls": "HTTP/1.1", "h2": "HTTP/2"}
WARM_UP = 256  # requests


@dataclass(frozen=True, slots=True)
class Case:
    """A file, requested over ``connections`` with ``streams`` requests at the same time on each."""

    name: str
    protocol: str
    file: str
    connections: int = 1
    streams: int = 1


# Both have 32 requests at the same time; those of HTTP/2 share connections, as in a browser.
CASES = (
    Case("tls 1k", "tls", PROBE, connections=32),
    Case("tls large", "tls", LARGE),
    Case("h2 1k", "h2", PROBE, connections=4, streams=8),
    Case("h2 large", "h2", LARGE),
)


def measure_cases(cases: Sequence[Case], bench: Bench) -> Iterator[Measurement]:
    """Measure each case; if a server cannot do one, its note gives the reason."""
    for case in cases:
        reason = bench.lacks.get(case.protocol) or ("" if installed() else "h2load is not installed")
        yield Measurement(case.name, note=reason, driver="") if reason else _load(bench, case)


def columns(cases: Sequence[Case]) -> dict[str, tuple[str, ...]]:
    """Return the columns of each case."""
    return {case.name: THROUGHPUT if case.file == LARGE else FREQUENCY for case in cases}


def _load(bench: Bench, case: Case) -> Measurement:
    url = f"https://{bench.running.address}/{case.file}"
    _check(bench, case, url)
    ask = _large(bench, case, url) if case.file == LARGE else _small(bench, case, url)
    meter = Meter(bench.running.session)
    found = ask()
    spent = meter.stop()
    metrics = (_throughput if case.file == LARGE else _frequency)(found, spent)
    metrics |= {**spent_metrics(spent), "errors": found.errors}
    return Measurement(case.name, metrics, _note(bench, case, found), f"h2load, {found.agreed}")


def _note(bench: Bench, case: Case, found: Responses) -> str:
    """Return a note on an unexpected protocol or length."""
    notes = [] if found.agreed.startswith(EXPECTED) else [f"agreed on {found.agreed}"]
    if case.file == PROBE and found.received != len(found.latencies) * bench.tree.size(PROBE):
        notes.append("bodies of another length")
    return "; ".join(notes)


def _large(bench: Bench, case: Case, url: str) -> Callable[[], Responses]:
    return partial(download, url, case.protocol, seconds=bench.settings.window)


def _small(bench: Bench, case: Case, url: str) -> Callable[[], Responses]:
    """Warm up, and estimate the number of requests that fill the window."""
    ask = partial(requests, url, case.protocol, connections=case.connections, streams=case.streams)
    limit = bench.settings.limit + SPARE
    first = ask(count=WARM_UP, limit=limit)
    rate = len(first.latencies) / first.seconds if first.seconds else 0.0
    return partial(ask, count=max(WARM_UP, round(rate * bench.settings.window)), limit=limit)


def _throughput(found: Responses, spent: Spent) -> dict[str, float | None]:
    return {
        "mb_per_s": found.received / 1e6 / found.seconds,
        "cpu_ms_per_gb": spent.server * 1e12 / found.received if found.received else None,
        "bytes": found.received,
    }


def _frequency(found: Responses, spent: Spent) -> dict[str, float | None]:
    milliseconds = [seconds * 1000 for seconds in found.latencies]
    count = len(milliseconds)
    return {
        "requests_per_s": count / found.seconds if count else 0.0,
        "p50_ms": percentile(milliseconds, 50),
        "p99_ms": percentile(milliseconds, 99),
        "cpu_ms_per_1000": spent.server * 1e6 / count if count else None,
        "requests": count,
    }


def _check(bench: Bench, case: Case, url: str) -> None:
    """Compare the start of a response, and its length, with the file."""
    size = bench.tree.size(case.file)
    wanted = min(size, random.Random(case.file).randint(KIB, 64 * KIB))
    try:
        found, body = _fetch(bench, case, url, wanted)
    except httpx.HTTPError as error:
        raise BenchmarkError(f"{case.name}: {error!r}") from error
    if found != (200, VERSIONS[case.protocol], str(size)) or body != bench.tree.slice(case.file, 0, wanted):
        raise BenchmarkError(f"{case.name}: got {found}, not the file")


def _fetch(bench: Bench, case: Case, url: str, wanted: int) -> tuple[tuple[int, str, str | None], bytes]:
    """Return status, version and length, and the start of the body; this client verifies the certificate."""
    trust = ssl.create_default_context(cafile=bench.running.certificate)
    body = b""
    with (
        httpx.Client(verify=trust, http1=case.protocol == "tls", http2=case.protocol == "h2") as client,
        client.stream("GET", url) as response,
    ):
        for chunk in response.iter_raw():
            body += chunk
            if len(body) >= wanted:
                break
    return (response.status_code, response.http_version, response.headers.get("content-length")), body[:wanted]


THROUGHPUT = ("mb_per_s", "cpu_ms_per_gb", "server_percent", "client_percent")
FREQUENCY = ("requests_per_s", "p50_ms", "p99_ms", "cpu_ms_per_1000", "client_percent")
COLUMNS = tuple(dict.fromkeys((*THROUGHPUT, *FREQUENCY)))
SCENARIO = Scenario(
    "tls",
    "HTTPS, with HTTP/1.1 and with HTTP/2",
    COLUMNS,
    partial(measure_cases, CASES),
    lambda _: (case.name for case in CASES),
    cases=columns(CASES),
    secure=True,
)
