"""The upper limits for us: the same servers sending memory instead of files."""

from functools import partial

from benchmarks.servers.base import Server, missing_module, package_versions
from benchmarks.servers.commands import hypercorn

__all__ = ["FLOORS"]

FLOORS = (
    Server(
        name="floor-hypercorn",
        title="Hypercorn sending memory (floor)",
        command=hypercorn("benchmarks.servers.memory_app:app"),
        versions=partial(package_versions, "hypercorn"),
        missing=partial(missing_module, "hypercorn"),
        scenarios=frozenset({"large", "small", "ranges", "slow", "tls", "http2"}),
    ),
    Server(
        name="floor-quart",
        title="a Quart view returning bytes, Hypercorn (floor)",
        command=hypercorn("benchmarks.servers.quart_memory_app:app"),
        versions=partial(package_versions, "quart", "hypercorn"),
        missing=partial(missing_module, "quart", "hypercorn"),
        scenarios=frozenset({"small"}),
    ),
)
