"""Parts of the large file, and responses without a body."""

import random
from collections.abc import Iterator, Sequence
from functools import partial

from benchmarks.load.exchange import exchange
from benchmarks.load.messages import Response, fetch, request
from benchmarks.proc import Meter
from benchmarks.scenarios.base import Bench, Measurement, Scenario, check_large, spent_metrics
from benchmarks.scenarios.small import COLUMNS, summary
from benchmarks.settings import KIB
from benchmarks.tree import LARGE

__all__ = ["SCENARIO", "ask_random_ranges"]

SPAN = 64 * KIB
PART = 8 * KIB
PARTS = 8
CASES = KNOWN, SEVERAL, RANDOM = ("304", "8 ranges at once", "random 64 KiB")
REQUESTS = 512  # distinct requests, sent in turn
FEW = 4  # connections for the warm-up: some servers read the file from its start up to the range
SEED = 9110  # the same ranges for every server and round


def measure(bench: Bench) -> Iterator[Measurement]:
    """Request a file that the client has already, then several ranges at once, then random ranges."""
    check_large(bench)
    etag = fetch(bench.port, request(LARGE), wanted=0).field("etag")
    if etag:
        yield _ask(bench, KNOWN, [request(LARGE, if_none_match=etag)], 304)
    else:
        yield Measurement(KNOWN, note="sends no ETag")
    yield _ask(bench, SEVERAL, _several_ranges(bench.tree.large_size), 206)
    yield ask_random_ranges(bench)


def ask_random_ranges(bench: Bench) -> Measurement:
    """Request 64 KiB at random offsets."""
    return _ask(bench, RANDOM, _random_ranges(bench.tree.large_size), 206)


def _random_ranges(size: int) -> list[bytes]:
    place = partial(random.Random(SEED).randrange, size - SPAN)
    starts = (place() for _ in range(REQUESTS))
    return [request(LARGE, range=f"bytes={start}-{start + SPAN - 1}") for start in starts]


def _several_ranges(size: int) -> list[bytes]:
    """Spread eight ranges over the file, so far apart that no server may join them."""
    step = size // PARTS
    place = partial(random.Random(SEED).randrange, step - 2 * PART)
    offsets = [place() for _ in range(REQUESTS)]
    return [request(LARGE, range=f"bytes={_specs(offset, step)}") for offset in offsets]


def _specs(offset: int, step: int) -> str:
    starts = (offset + number * step for number in range(PARTS))
    return ",".join(f"{start}-{start + PART - 1}" for start in starts)


def _ask(bench: Bench, case: str, messages: Sequence[bytes], status: int) -> Measurement:
    response = fetch(bench.port, messages[0], wanted=PARTS * PART)
    refusal = _refusal(case, response, status)
    if refusal:
        return Measurement(case, note=refusal)
    ask = partial(exchange, bench.port, messages, status=status, limit=bench.settings.limit)
    ask(seconds=bench.settings.warmup, connections=FEW)
    meter = Meter(bench.running.session)
    found = summary(ask(seconds=bench.settings.window, connections=bench.settings.connections))
    spent = meter.stop()
    metrics = {
        "requests_per_s": found["requests"] / found["seconds"],
        "p50_ms": found["p50_ms"],
        "p99_ms": found["p99_ms"],
        "cpu_ms_per_1000": spent.server * 1e6 / found["requests"] if found["requests"] else None,
        "errors": found["errors"],
    }
    return Measurement(case, metrics | spent_metrics(spent))


def _refusal(case: str, response: Response, status: int) -> str:
    """Describe the response if it is not the requested one; otherwise return an empty text."""
    length = response.head.length or 0
    fitting = {RANDOM: length == SPAN, KNOWN: True, SEVERAL: length > PARTS * PART}
    if response.head.status == status and fitting[case]:
        return ""
    return f"status {response.head.status} with Content-Length {response.head.length}"


SCENARIO = Scenario("ranges", "Ranges of the large file, and 304", COLUMNS, measure, lambda _: CASES)
