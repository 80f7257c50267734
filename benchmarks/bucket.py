"""SeaweedFS, a distributed object store that pip installs, with one bucket."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from benchmarks.process import pinned, reserved_port
from benchmarks.servers.base import HOST
from benchmarks.servers.bucket import BUCKET, ENDPOINT, SEAWEEDFS
from benchmarks.settings import BenchmarkError

__all__ = ["running_bucket"]

KEYS = {"accessKey": "benchmark", "secretKey": "benchmark-secret"}
# nginx reads without a signature, and so does the request that makes the bucket.
ACTIONS = {"owner": ["Admin", "Read", "Write", "List"], "anonymous": [f"Admin:{BUCKET}", f"Read:{BUCKET}"]}
PARTS = ("master", "volume", "filer", "s3")
START_LIMIT = 30.0


@contextmanager
def running_bucket(core: int) -> Iterator[int]:
    """Run the store on a core until the end of the block, and set the variables with which it is reached.

    Yields its port.
    """
    with TemporaryDirectory(prefix="bucket-") as name, ExitStack() as stack:
        ports = [stack.enter_context(reserved_port(HOST)) for _ in range(2 * len(PARTS))]
        process = _start(Path(name), ports, core)
        try:
            url = f"http://{HOST}:{ports[-1]}"
            _make_bucket(process, url)
            with _environment(url):
                yield ports[-1]
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # a regular end takes it half a minute
            process.wait()
            _remove_sockets(ports)


def _start(folder: Path, ports: Sequence[int], core: int) -> "subprocess.Popen[bytes]":
    identities = [
        {"name": name, "actions": actions, **({"credentials": [KEYS]} if name == "owner" else {})}
        for name, actions in ACTIONS.items()
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    with pinned(core), (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [str(SEAWEEDFS), *_arguments(folder, ports)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
        )


def _arguments(folder: Path, ports: Sequence[int]) -> Iterator[str]:
    yield from ("-logtostderr=true", "server", f"-dir={folder}", f"-ip={HOST}", f"-ip.bind={HOST}", "-filer", "-s3")
    yield from (f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=100")
    yield from ("-master.telemetry=false", "-master.volumeSizeLimitMB=1024", "-master.volumePreallocate=false")
    for part, grpc, http in zip(PARTS, ports[::2], ports[1::2], strict=True):
        yield from (f"-{part}.port.grpc={grpc}", f"-{part}.port={http}")


def _make_bucket(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(Request(f"{url}/{BUCKET}", method="PUT"), timeout=START_LIMIT):
                return
        except HTTPError as error:
            error.close()
        except OSError:
            pass
        time.sleep(0.05)
    raise BenchmarkError("SeaweedFS did not start")


def _remove_sockets(ports: Iterable[int]) -> None:
    """Remove the UNIX sockets that a killed SeaweedFS leaves behind."""
    for port in ports:
        for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            path.unlink(missing_ok=True)


@contextmanager
def _environment(url: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(
        AWS_ACCESS_KEY_ID=KEYS["accessKey"],
        AWS_SECRET_ACCESS_KEY=KEYS["secretKey"],
        AWS_REGION="us-east-1",
        AWS_ENDPOINT_URL=url,
        **{ENDPOINT: url},
    )
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
