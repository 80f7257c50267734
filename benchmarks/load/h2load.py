"""h2load as a driver, for TLS and HTTP/2. It verifies no certificate.

Its windows are as large as HTTP/2 has them, so that it never keeps a server waiting. It offers one cipher of TLS 1.3,
so that every server uses that, and says what was agreed upon. Requests are counted out and not timed: version 1.52
waits for ever when the time is over before every connection has been made.
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.settings import BenchmarkError

__all__ = ["CIPHER", "SPARE", "Answers", "download", "installed", "requests"]

CIPHER = "TLS_AES_128_GCM_SHA256"
FIXED = ("h2load", "-t1", "-w30", "-W30", f"--tls13-ciphers={CIPHER}")
PROTOCOLS = {"tls": ("--h1",), "h2": ("--npn-list=h2",)}
# In its log an answer of HTTP/1.1 without a reason phrase, which is what Hypercorn sends, has the status 0.
GOOD = {"tls": {"200", "0"}, "h2": {"200"}}
AGREED = re.compile(r"TLS Protocol: (\S+)\nCipher: (\S+)\n(?:.*\n)*?Application protocol: (\S+)")
RECEIVED = re.compile(r"\((\d+)\) data$", re.MULTILINE)
SPARE = 15.0  # seconds after which something is wrong


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back: the seconds each good answer took, and the bytes of all bodies, finished or not."""

    seconds: float
    latencies: list[float]
    errors: int
    received: int
    agreed: str  # version, cipher and protocol


def installed() -> bool:
    """Tell whether h2load is there."""
    return shutil.which("h2load") is not None


def requests(url: str, protocol: str, *, connections: int, streams: int, count: int, limit: float) -> Answers:
    """Ask so many times on all connections; the seconds are from the first request to the last answer."""
    amounts = (f"-c{connections}", f"-m{streams}", f"-n{count}")
    return _run(url, protocol, *amounts, limit=limit)


def download(url: str, protocol: str, *, seconds: float) -> Answers:
    """Ask again and again on one connection; the bytes are those of this time."""
    return replace(_run(url, protocol, f"-D{seconds * 1000:.0f}ms", limit=seconds + SPARE), seconds=seconds)


def _run(url: str, protocol: str, *amounts: str, limit: float) -> Answers:
    """Run h2load with one thread, on the core of this process."""
    with tempfile.TemporaryDirectory(prefix="h2load-") as folder:
        log = Path(folder) / "requests.log"
        command = [*FIXED, *PROTOCOLS[protocol], *amounts, f"--log-file={log}", url]
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=limit).stdout
        rows = [line.split("\t") for line in log.read_text().splitlines()]
    agreed, received = AGREED.search(output), RECEIVED.search(output)
    if not (agreed and received):
        raise BenchmarkError(f"h2load had no answer from {url}")
    answers = [(int(start) / 1e6, int(took) / 1e6) for start, status, took in rows if status in GOOD[protocol]]
    seconds = max((start + took for start, took in answers), default=0.0) - min(answers, default=(0.0, 0.0))[0]
    latencies = [took for _, took in answers]
    return Answers(seconds, latencies, len(rows) - len(answers), int(received[1]), ", ".join(agreed.groups()))
