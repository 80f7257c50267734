"""h2load as a driver, for TLS and HTTP/2. It verifies no certificate.

Its flow-control windows are the largest that HTTP/2 allows, so a server never waits for it. It offers one cipher of TLS
1.3, so every server uses that cipher, and it reports the protocol and cipher in use. Runs of small requests are bounded
by a count, not by time: version 1.52 hangs if the time ends before every connection is made.
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.settings import BenchmarkError

__all__ = ["CIPHER", "SPARE", "Responses", "download", "installed", "requests"]

CIPHER = "TLS_AES_128_GCM_SHA256"
FIXED = ("h2load", "-t1", "-w30", "-W30", f"--tls13-ciphers={CIPHER}")
PROTOCOLS = {"tls": ("--h1",), "h2": ("--npn-list=h2",)}
# Its log gives status 0 for an HTTP/1.1 response without a reason phrase; Hypercorn sends such responses.
GOOD = {"tls": {"200", "0"}, "h2": {"200"}}
AGREED = re.compile(r"TLS Protocol: (\S+)\nCipher: (\S+)\n(?:.*\n)*?Application protocol: (\S+)")
RECEIVED = re.compile(r"\((\d+)\) data$", re.MULTILINE)
SPARE = 15.0  # seconds beyond the expected time, after which the run has failed


@dataclass(frozen=True, slots=True)
class Responses:
    """Seconds that each good response took, and the bytes of all bodies, complete or not."""

    seconds: float
    latencies: list[float]
    errors: int
    received: int
    agreed: str  # version, cipher and protocol


def installed() -> bool:
    """Return whether h2load is installed."""
    return shutil.which("h2load") is not None


def requests(url: str, protocol: str, *, connections: int, streams: int, count: int, limit: float) -> Responses:
    """Send ``count`` requests over all connections; the seconds run from the first request to the last response."""
    amounts = (f"-c{connections}", f"-m{streams}", f"-n{count}")
    return _run(url, protocol, *amounts, limit=limit)


def download(url: str, protocol: str, *, seconds: float) -> Responses:
    """Repeat the request on one connection for ``seconds``; the bytes are those received in that time."""
    return replace(_run(url, protocol, f"-D{seconds * 1000:.0f}ms", limit=seconds + SPARE), seconds=seconds)


def _run(url: str, protocol: str, *amounts: str, limit: float) -> Responses:
    """Run h2load with one thread, on the core of this process."""
    with tempfile.TemporaryDirectory(prefix="h2load-") as folder:
        log = Path(folder) / "requests.log"
        command = [*FIXED, *PROTOCOLS[protocol], *amounts, f"--log-file={log}", url]
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=limit).stdout
        rows = [line.split("\t") for line in log.read_text().splitlines()]
    agreed, received = AGREED.search(output), RECEIVED.search(output)
    if not (agreed and received):
        raise BenchmarkError(f"h2load got no response from {url}")
    responses = [(int(start) / 1e6, int(took) / 1e6) for start, status, took in rows if status in GOOD[protocol]]
    seconds = max((start + took for start, took in responses), default=0.0) - min(responses, default=(0.0, 0.0))[0]
    latencies = [took for _, took in responses]
    return Responses(seconds, latencies, len(rows) - len(responses), int(received[1]), ", ".join(agreed.groups()))
