"""The scenarios, in the order they run."""

from benchmarks.scenarios import client, cold, large, leaving, ranges, slow, small, sources, tls
from benchmarks.scenarios.base import Scenario

__all__ = ["SCENARIOS"]

SCENARIOS: dict[str, Scenario] = {
    module.SCENARIO.name: module.SCENARIO
    for module in (large, small, ranges, tls, sources, slow, leaving, cold, client)
}
