"""A load driver in another network namespace, at the far end of a line."""

import json
import subprocess
import sys
import time
from typing import Any

from benchmarks.load.downloads import download
from benchmarks.load.exchange import exchange
from benchmarks.load.messages import request
from benchmarks.process import ROOT
from benchmarks.servers.base import PYTHON

__all__ = ["run_far"]

SPARE = 30.0  # seconds for the start of the driver and for the last responses


def run_far(namespace: str, kind: str, host: str, port: int, name: str, count: int, seconds: float) -> dict[str, Any]:
    """Run this module in the namespace for ``seconds``, and return the figures that it prints."""
    words = (kind, host, port, name, count, seconds)
    command = ["ip", "netns", "exec", namespace, PYTHON, "-m", __name__, *map(str, words)]
    limit = seconds + SPARE
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=limit)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _download(host: str, port: int, name: str, count: int, seconds: float) -> dict[str, Any]:
    """Download the file ``count`` times in parallel until the time is over."""
    begin = time.monotonic()
    downloads = download(port, [name] * count, deadline=begin + seconds, host=host)
    started = sum(each.head is not None and each.head.status == 200 for each in downloads)
    received = sum(each.received for each in downloads)
    return {"received": received, "seconds": time.monotonic() - begin, "started": started}


def _connect(host: str, port: int, name: str, count: int, seconds: float) -> dict[str, Any]:
    """Fetch the file again and again, each time on a new connection, over ``count`` connections in parallel."""
    tally = exchange(
        port,
        [request(name, connection="close")],
        status=200,
        connections=count,
        seconds=seconds,
        limit=seconds + SPARE / 2,
        host=host,
        fresh=True,
    )
    return {"latencies": tally.latencies, "errors": tally.errors, "seconds": tally.seconds}


if __name__ == "__main__":
    kind, host, port, name, count, seconds = sys.argv[1:]
    load = {"download": _download, "connect": _connect}[kind]
    print(json.dumps(load(host, int(port), name, int(count), float(seconds))))
