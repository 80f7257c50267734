"""HTTP/2 as one browser uses it: a large file, and 32 parallel requests on one connection."""

from functools import partial

from benchmarks.scenarios.base import Scenario
from benchmarks.scenarios.tls import FREQUENCY, THROUGHPUT, Case, columns, measure_cases
from benchmarks.tree import LARGE, PROBE

__all__ = ["SCENARIO"]

CASES = (Case("large file", "h2", LARGE), Case("32 streams of 1k", "h2", PROBE, streams=32))
SCENARIO = Scenario(
    "http2",
    "HTTP/2: a large file, and 32 parallel small ones on one connection",
    tuple(dict.fromkeys((*THROUGHPUT, *FREQUENCY))),
    partial(measure_cases, CASES),
    lambda _: (case.name for case in CASES),
    cases=columns(CASES),
    secure=True,
)
