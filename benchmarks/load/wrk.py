"""wrk as a driver: it needs so little CPU time that the server is the bottleneck."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from benchmarks.servers.base import HOST

__all__ = ["Summary", "installed", "wrk"]

# wrk rounds its printed figures; its script interface has the exact ones.
SCRIPT = """
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\\n{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
TURNS = """
local messages = {{{messages}}}
local turn = 0
function request()
  turn = turn % #messages + 1
  return messages[turn]
end
"""


class Summary(TypedDict):
    """The figures of one run, of wrk or of our own driver."""

    requests: int
    seconds: float
    p50_ms: float | None
    p99_ms: float | None
    errors: int


def installed() -> bool:
    """Return whether wrk is installed."""
    return shutil.which("wrk") is not None


def wrk(
    port: int, name: str, *, connections: int, seconds: float, messages: Sequence[bytes] = (), timeout: int = 2
) -> Summary:
    """Run wrk with one thread, on the core of this process; it knows whole seconds only.

    Without ``messages`` every request is a plain GET of the file; otherwise these requests are sent in turn. A response
    that takes longer than ``timeout`` seconds is an error.
    """
    whole = max(1, round(seconds))
    with tempfile.TemporaryDirectory(prefix="wrk-") as folder:
        script = Path(folder) / "done.lua"
        script.write_text(SCRIPT + (TURNS.format(messages=",\n".join(map(_quoted, messages))) if messages else ""))
        options = ["-t1", f"-c{connections}", f"-d{whole}s", f"--timeout={timeout}s", "-s", str(script)]
        command = ["wrk", *options, f"http://{HOST}:{port}/{name}"]
        output = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=whole + timeout + 15
        ).stdout
    summary: Summary = json.loads(output.strip().splitlines()[-1])
    return summary


def _quoted(message: bytes) -> str:
    """Write a request as a string of Lua."""
    return "'" + message.decode("ascii").replace("\r", "\\r").replace("\n", "\\n") + "'"
