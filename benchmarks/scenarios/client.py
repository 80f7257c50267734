"""Downloads of the large file by several client programs. All download from nginx."""

import shutil
import tempfile
from collections.abc import Iterator
from compileall import compile_dir
from pathlib import Path

from benchmarks.load.watched import run_watched
from benchmarks.proc import Meter
from benchmarks.process import Running, pinned, running
from benchmarks.scenarios.base import Bench, Measurement, Scenario
from benchmarks.servers.clients import CLIENTS, PREFIX, ROOT, Errand
from benchmarks.servers.nginx import NGINX
from benchmarks.settings import MIB, BenchmarkError
from benchmarks.tree import LARGE

__all__ = ["SCENARIO"]

MEMORY = Path("/dev/shm")  # a file system in memory, so that no disk is measured
SCHEMES = ("http", "https")
SPARE = 256 * MIB
LIMIT = 60.0  # seconds that a download may take, plus as many for each GiB


def measure(bench: Bench) -> Iterator[Measurement]:
    """Download over http from the running server, and over https from a second one."""
    compile_dir(ROOT / "async_downloads", quiet=1)  # pip does so, too; otherwise each start could compile for 0.2 s
    yield _download(bench, "http", bench.running)
    with running(NGINX, bench.tree.directory, bench.cores.server, secure=True) as secure:
        yield _download(bench, "https", secure)


def _download(bench: Bench, scheme: str, server: Running) -> Measurement:
    client, size = CLIENTS[bench.server.removeprefix(PREFIX)], bench.tree.large_size
    with tempfile.TemporaryDirectory(prefix="downloads-", dir=_place(bench)) as folder:
        certificate = server.certificate if scheme == "https" else None
        errand = Errand(f"{scheme}://{server.address}/{LARGE}", Path(folder) / LARGE, certificate)
        with pinned(bench.cores.client, bench.cores.probe):
            meter = Meter(server.session)
            cost = run_watched(client.command(errand), errand.environment, limit=LIMIT * (1 + size / (1024 * MIB)))
            spent = meter.stop()
        if not _same(bench.tree.directory / LARGE, errand.target):
            raise BenchmarkError(f"{client.title} did not write the file")
        note = "" if Path(folder).is_relative_to(MEMORY) else "onto a disk"
    metrics = {
        "mb_per_s": size / 1e6 / cost.seconds,
        "client_cpu_ms_per_gb": cost.cpu * 1e12 / size,
        "peak_mb": cost.peak / 1e6 or None,
        "server_percent": spent.server_percent,
        "seconds": cost.seconds,
    }
    return Measurement(scheme, metrics, note, driver="")


def _place(bench: Bench) -> Path:
    """Return a folder with room for the download: in memory if possible."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > bench.tree.large_size + SPARE
    return MEMORY if roomy else bench.tree.directory.parent


def _same(left: Path, right: Path) -> bool:
    """Return whether two files have the same bytes."""
    if not right.is_file() or left.stat().st_size != right.stat().st_size:
        return False
    with left.open("rb", buffering=0) as one, right.open("rb", buffering=0) as other:
        while block := one.read(MIB):
            if block != other.read(MIB):
                return False
    return True


SCENARIO = Scenario(
    "client",
    "Downloads of the large file to a file, by clients",
    ("mb_per_s", "client_cpu_ms_per_gb", "peak_mb", "server_percent"),
    measure,
    lambda _: SCHEMES,
    baseline=f"{PREFIX}curl",
)
