"""The scenarios, in the order they run."""

from benchmarks.scenarios import (
    client,
    cold,
    far,
    http2,
    large,
    leaving,
    listing,
    objects,
    ranges,
    slow,
    small,
    sources,
    tls,
)
from benchmarks.scenarios.base import Scenario

__all__ = ["SCENARIOS"]

SCENARIOS: dict[str, Scenario] = {
    module.SCENARIO.name: module.SCENARIO
    for module in (large, small, ranges, tls, http2, sources, objects, slow, far, listing, leaving, cold, client)
}
