"""A bucket behind the server: one client, a crowd of slow ones, and the first byte if the store is far away."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

from benchmarks.bucket import running_bucket
from benchmarks.load.companion import Companion
from benchmarks.load.downloads import download
from benchmarks.process import Cores, reserved_port
from benchmarks.scenarios.base import Bench, Measurement, Scenario, check_file, check_large
from benchmarks.scenarios.large import fetch_large
from benchmarks.scenarios.slow import read_slowly
from benchmarks.scenarios.sources import first_bytes
from benchmarks.servers.base import HOST
from benchmarks.servers.bucket import no_bucket
from benchmarks.settings import FULL, QUICK, Settings, Unavailable
from benchmarks.stats import percentile
from benchmarks.tree import LARGE, PROBE

__all__ = ["SCENARIO"]

ONE_CLIENT = "1 client"
CROWDS = {FULL.quick: 1000, QUICK.quick: 100}
FIRST = "1m.bin"


def parts(settings: Settings) -> Iterator[Settings]:
    """Yield a part for each round trip to the store: the server reaches the store by another address."""
    for milliseconds in settings.round_trips:
        yield replace(settings, round_trips=(milliseconds,))


@contextmanager
def network(settings: Settings) -> Iterator[str]:
    """Run the store; with a round trip, the server reaches it through a relay."""
    if reason := no_bucket():
        raise Unavailable(reason)
    [milliseconds] = settings.round_trips
    core = Cores.available().probe
    with running_bucket(core) as target, ExitStack() as stack:
        if milliseconds:
            port = stack.enter_context(reserved_port(HOST))
            stack.enter_context(Companion("benchmarks.load.delay", port, target, milliseconds / 2000, core=core))
            os.environ["AWS_ENDPOINT_URL"] = f"http://{HOST}:{port}"
        yield HOST


def measure(bench: Bench) -> Iterator[Measurement]:
    """Download the large object, alone and slowly; or, if the store is far away, time the first byte."""
    check_file(bench, PROBE)
    [milliseconds] = bench.settings.round_trips
    if milliseconds:
        yield _first_byte(bench, milliseconds)
        return
    check_large(bench)
    download(bench.port, [LARGE], deadline=time.monotonic() + bench.settings.window)
    yield replace(fetch_large(bench, 1), case=ONE_CLIENT)
    count, store = CROWDS[bench.settings.quick], urlsplit(os.environ["AWS_ENDPOINT_URL"]).port
    yield replace(read_slowly(bench, count, upstream=store), case=_crowd(count))


def _first_byte(bench: Bench, round_trip: int) -> Measurement:
    check_file(bench, FIRST)
    milliseconds = percentile(first_bytes(bench, FIRST), 50)
    trips = milliseconds / round_trip if milliseconds is not None else None
    return Measurement(_far(round_trip), {"first_byte_ms": milliseconds, "round_trips": trips})


def _crowd(count: int) -> str:
    return f"{count:,} slow clients"


def _far(round_trip: int) -> str:
    return f"{round_trip} ms to the store"


def cases(settings: Settings) -> Iterator[str]:
    """Name the cases of each part."""
    for milliseconds in settings.round_trips:
        if milliseconds:
            yield _far(milliseconds)
        else:
            yield from (ONE_CLIENT, _crowd(CROWDS[settings.quick]))


SPEED = ("mb_per_s", "cpu_ms_per_gb", "server_percent", "client_percent")
CROWD = (
    "started",
    "kb_per_connection",
    "upstream_connections",
    "probe_p50_ms",
    "probe_p99_ms",
    "undisturbed_p99_ms",
    "probe_timeouts",
    "server_percent",
)
FAR = ("first_byte_ms", "round_trips")
COLUMNS = {
    ONE_CLIENT: SPEED,
    **{_crowd(count): CROWD for count in CROWDS.values()},
    **{_far(milliseconds): FAR for milliseconds in FULL.round_trips if milliseconds},
}
SCENARIO = Scenario(
    "objects",
    "A bucket of SeaweedFS behind the server",
    tuple(dict.fromkeys((*SPEED, *CROWD, *FAR))),
    measure,
    cases,
    cases=COLUMNS,
    parts=parts,
    baseline="objects-obstore",
    network=network,
)
