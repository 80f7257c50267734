"""The aims of this project.

An aim concerns one figure of one server, or its ratio to the same figure of a rival in the same run. Both are medians.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from benchmarks.report import NOTHING, figure

__all__ = ["AIMS", "Aim"]

Side = Literal["at least", "at most"]

SERVE = "serve-asyncio"
FLASK = ("flask-gthread-8",)
WIRE, WIRE_ONE, SLOW = "wire.json", "wire-one.json", "slow-serve.json"  # the last two have more rounds
RANGES = "ranges.json"


@dataclass(frozen=True, slots=True)
class Aim:
    """A bound for a figure of a server or, if there are rivals, for its ratio to the fastest of them.

    The figure of an aim without a bound is shown and not judged.
    """

    words: str
    scenario: str
    case: str
    metric: str
    server: str
    result: str
    rivals: tuple[str, ...] = ()
    bound: float | None = None
    side: Side = "at least"

    @property
    def asked(self) -> str:
        """Return the bound in words."""
        if self.bound is None:
            return NOTHING
        return f"{self.side} {figure(self.bound)}{' x' if self.rivals else ''}"

    def met(self, value: float) -> bool:
        """Return whether a figure, or a ratio, is within the bound."""
        if self.bound is None:
            return True
        return value >= self.bound if self.side == "at least" else value <= self.bound


def _ranges() -> Iterator[Aim]:
    """Yield the aims for ranges of the large file, in requests per second."""
    for words, rivals, asked in (("Flask on gunicorn", FLASK, 1.5), ("Flask on waitress", ("flask-waitress",), None)):
        title, metric = f"random 64 KiB ranges: requests/s to {words}", "requests_per_s"
        yield Aim(title, "ranges", "random 64 KiB", metric, SERVE, RANGES, rivals, asked)


def _others() -> Iterator[Aim]:
    """Yield the aims for slow clients, clients that left, and cold files."""
    slow, leaving, cold = ("slow", "clients=10000"), ("leaving", "clients=300"), ("cold", "files=32")
    crowd, left, files = "10,000 slow clients", "300 clients left", "32 cold files at once"
    yield Aim(f"{crowd}: started", *slow, "started", SERVE, SLOW, bound=10_000)
    for words, place, metric, result, bound in (
        (f"{crowd}: KB of memory for each", slow, "kb_per_connection", SLOW, 40),
        (f"{crowd}: probe p99 ms", slow, "probe_p99_ms", SLOW, 25),
        (f"{crowd}: server CPU %", slow, "server_percent", SLOW, 40),
        (f"{left}: CPU ms in the first second", leaving, "cpu_ms_first_second", "cold.json", None),
        (f"{left}: CPU % in 0.3 s after it", leaving, "server_percent", "cold.json", 0),
        (f"{left}: descriptors left after it", leaving, "descriptors_left", "cold.json", 0),
        (f"{files}: probe p99 ms", cold, "probe_p99_ms", "cold-alone.json", 20),
        (f"{files}: probe p99 ms without standstills", cold, "undisturbed_p99_ms", "cold-alone.json", 20),
        (f"{files}, in turns with others: probe p99 ms", cold, "probe_p99_ms", "cold.json", 20),
        (f"{files}, in turns with others: p99 without standstills", cold, "undisturbed_p99_ms", "cold.json", 20),
    ):
        yield Aim(words, *place, metric, SERVE, result, (), bound, "at most")


def _sources() -> Iterator[Aim]:
    """Yield the aims for databases."""
    for words, server, rival, bound, result in (
        ("PostgreSQL: MB/s to a plain asyncpg loop", "source-postgres", "source-asyncpg", 0.7, "sources.json"),
        ("SQLite: MB/s to a file", "source-sqlite", "source-file", 0.5, "sources-sqlite.json"),
    ):
        yield Aim(words, "sources", "1 client, then ranges", "mb_per_s", server, result, (rival,), bound)


def _objects() -> Iterator[Aim]:
    """Yield the aims for a bucket."""
    server, result, crowd = "objects-serve", "objects.json", "1,000 slow clients"
    for words, rival in (("obstore's own stream", "objects-obstore"), ("nginx", "objects-nginx")):
        yield Aim(f"bucket, 1 client: MB/s to {words}", "objects", "1 client", "mb_per_s", server, result, (rival,))
    yield Aim(f"bucket, {crowd}: started", "objects", crowd, "started", server, result, bound=1000)
    for words, metric, bound in (
        ("KB of memory for each", "kb_per_connection", 200),
        ("connections to the store", "upstream_connections", 70),
        ("probe p99 ms", "probe_p99_ms", 100),
    ):
        yield Aim(f"bucket, {crowd}: {words}", "objects", crowd, metric, server, result, (), bound, "at most")
    far = ("objects", "20 ms to the store", "round_trips")
    yield Aim("bucket 20 ms away: round trips to the first byte", *far, server, result, (), 1.2, "at most")


def _clients() -> Iterator[Aim]:
    """Yield the aims for our own client: first its speed, then its memory."""
    for words, server, rival, bounds in (
        ("`get -x1`: MB/s to curl", "client-get-x1", "client-curl", {"http": 0.6, "https": 0.8}),
        ("`get -x4`: MB/s to `aria2c -x4`", "client-get-x4", "client-aria2c-x4", {"http": 1, "https": 1}),
    ):
        for scheme, bound in bounds.items():
            yield Aim(f"{scheme}, {words}", "client", scheme, "mb_per_s", server, "client.json", (rival,), bound)
    for count in (1, 4):
        for scheme in ("http", "https"):
            words, server = f"{scheme}, `get -x{count}`: peak MB", f"client-get-x{count}"
            yield Aim(words, "client", scheme, "peak_mb", server, "client.json", (), 80, "at most")


def _wire() -> Iterator[Aim]:
    """Yield the aims for `serve` and `run` on our own HTTP/1.1 connection."""
    rate, place = "requests_per_s", "small"
    for words, case, server, rivals, bound in (
        ("1 KiB: requests/s to `serve` before", "1k", SERVE, ("serve-before",), 2.8),
        ("1 KiB: requests/s to Hypercorn sending memory", "1k", SERVE, ("floor-hypercorn",), 2.5),
        ("1 KiB: requests/s to Flask on gunicorn", "1k", SERVE, FLASK, 6),
        ("64 KiB: requests/s to Flask on gunicorn", "64k", SERVE, FLASK, 3),
        ("10 KB of 1 MiB: requests/s to Flask on gunicorn", "10 KB of 1m", SERVE, FLASK, 3),
        ("1 KiB, a Quart view under `run`: requests/s to Hypercorn", "1k", "run-quart", ("ours-quart",), 1.3),
    ):
        yield Aim(words, place, case, rate, server, WIRE, rivals, bound)
    yield from _wire_large()


def _wire_large() -> Iterator[Aim]:
    for count in (1, 8, 64):
        title, case = f"1 GiB, {count} client{'s' if count > 1 else ''}", ("large", f"clients={count}")
        result = WIRE_ONE if count == 1 else WIRE
        yield Aim(f"{title}: MB/s to nginx", *case, "mb_per_s", SERVE, result, ("nginx",), 1)
        yield Aim(f"{title}: MB/s to Flask on gunicorn", *case, "mb_per_s", SERVE, result, FLASK, 1)
        yield Aim(f"{title}: CPU per GB to nginx", *case, "cpu_ms_per_gb", SERVE, result, ("nginx",), 1.15, "at most")
    view = "1 GiB through a Quart view under `run`, 1 client: MB/s to `serve`"
    yield Aim(view, "large", "clients=1", "mb_per_s", "run-quart", WIRE_ONE, (SERVE,), 0.95)


AIMS = [*_wire(), *_ranges(), *_others(), *_sources(), *_objects(), *_clients()]
