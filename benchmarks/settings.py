"""How much each scenario does and for how long: the full run and the quick one."""

from dataclasses import dataclass

__all__ = ["FULL", "KIB", "MIB", "QUICK", "BenchmarkError", "Line", "Settings", "Unavailable"]

KIB = 1024
MIB = 1024 * KIB


class BenchmarkError(Exception):
    """A server did not start, or it sent another response than the expected one."""


class Unavailable(BenchmarkError):
    """This machine cannot run a scenario, for the given reason: a program or a permission is missing."""


@dataclass(frozen=True, slots=True)
class Line:
    """A long-distance line: its round trip in milliseconds, and the share of packets to the client that it loses."""

    round_trip: int
    loss: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Amounts, and seconds, of one run; written into its result as they are."""

    quick: bool
    rounds: int
    large_size: int
    clients: tuple[int, ...] = (1,)
    connections: int = 32
    warmup: float
    window: float  # of timed requests or repeated downloads
    limit: float  # of one transfer; the bytes received by then count
    slow_clients: tuple[int, ...]
    pace: int = 16 * KIB  # bytes a slow client reads each second
    start_limit: float  # until the slow clients have their first byte
    settle: float  # in which a server may fill the clients' buffers before it is measured
    slow_window: float
    leaving_clients: int
    cold_files: int
    cold_size: int
    probe_interval: float = 0.05
    probe_timeout: float
    lines: tuple[Line, ...] = (Line(20), Line(80), Line(80, 0.01))
    line_window: float  # of each load over a line, long enough for several round trips
    listed: tuple[int, ...]  # entries of each directory that is listed
    round_trips: tuple[int, ...] = (0, 20)  # milliseconds between the server and its object store
    driver: str = "auto"  # of small files: auto (wrk when installed), wrk, own


FULL = Settings(
    quick=False,
    rounds=3,
    large_size=1024 * MIB,
    clients=(1, 8, 64),
    warmup=0.5,
    window=3.0,
    limit=15.0,
    slow_clients=(100, 1000, 5000, 10_000),
    start_limit=30.0,
    settle=30.0,
    slow_window=10.0,
    leaving_clients=300,
    cold_files=32,
    cold_size=1024 * MIB,
    probe_timeout=2.0,
    line_window=10.0,
    listed=(2000, 20_000),
)

# A few minutes for every server and scenario, so that CI can afford it: it shows that everything runs, not how fast.
# wrk cannot run for less than a second, hence our own driver.
QUICK = Settings(
    quick=True,
    rounds=1,
    large_size=64 * MIB,
    warmup=0.05,
    window=0.3,
    limit=2.0,
    slow_clients=(200,),
    start_limit=1.0,
    settle=0.4,
    slow_window=1.0,
    leaving_clients=100,
    cold_files=4,
    cold_size=64 * MIB,
    probe_timeout=0.5,
    lines=(Line(20, 0.01),),
    line_window=0.5,
    listed=(200,),
    driver="own",
)
