"""A real S3 server for tests: SeaweedFS, a distributed store, as pip installs it; all of its parts in one process."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from harness.waiting import HANGING

__all__ = ["BUCKET", "SeaweedFS", "free_ports", "remove_sockets", "seaweedfs"]

BUCKET: Final = "files"
_CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "TESTKEY", "AWS_SECRET_ACCESS_KEY": "testing-secret"}
_KEYS: Final = {"accessKey": _CREDENTIALS["AWS_ACCESS_KEY_ID"], "secretKey": _CREDENTIALS["AWS_SECRET_ACCESS_KEY"]}
_ACTIONS: Final = ["Admin", "Read", "Write", "List", "Tagging"]
_IDENTITIES: Final = {
    "identities": [
        {"name": "tests", "credentials": [_KEYS], "actions": _ACTIONS},
        {"name": "anonymous", "actions": ["Admin:files"]},  # makes the bucket without a signature
    ]
}
_PARTS: Final = ("master", "volume", "filer", "s3")
# The guard stops the server when the tests end in any way: their end of the pipe is closed then.
_GUARD: Final = 'read line || kill -KILL "$0" 2>/dev/null'


class SeaweedFS:
    """A server that can be killed and started again with the same data, at the same port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = free_ports(2 * len(_PARTS))
        self.endpoint: str = f"http://127.0.0.1:{self._ports[-1]}"
        self._server: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        (folder / "s3.json").write_text(json.dumps(_IDENTITIES))

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which clients reach it."""
        return {**_CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": "us-east-1"}

    def start(self) -> None:
        """Start the server, and return when its bucket can be used."""
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [Path(sys.executable).with_name("weed"), *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,  # Ctrl-C is for the tests, which stop it then
            )
        self._guard = subprocess.Popen(["sh", "-c", _GUARD, str(self._server.pid)], stdin=subprocess.PIPE)
        self._make_bucket()

    def _arguments(self) -> Iterator[str]:
        yield from ("-logtostderr=true", "server", f"-dir={self._folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1")
        yield from ("-filer", "-s3", f"-s3.config={self._folder}/s3.json", "-master.telemetry=false")
        yield from ("-s3.port.iceberg=0", "-s3.port.lance=0")  # else two servers would want the same port
        yield from ("-master.volumeSizeLimitMB=64", "-volume.max=100", "-master.volumePreallocate=false")
        for part, grpc, http in zip(_PARTS, self._ports[::2], self._ports[1::2], strict=True):
            yield from (f"-{part}.port.grpc={grpc}", f"-{part}.port={http}")

    def _make_bucket(self) -> None:
        deadline = time.monotonic() + HANGING
        while time.monotonic() < deadline and self._server and self._server.poll() is None:
            try:
                if httpx.put(f"{self.endpoint}/{BUCKET}", timeout=HANGING).status_code in {200, 409}:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)  # SeaweedFS sends no signal when it is ready
        pytest.fail(f"SeaweedFS does not start: {(self._folder / 'log').read_text()[-2000:]}")

    def kill(self) -> None:
        """End the server at once: a regular end takes it half a minute."""
        server, guard, self._server, self._guard = self._server, self._guard, None, None
        if server:
            server.kill()
            server.wait(HANGING)
        if guard:
            guard.communicate(b"stopped\n")
        remove_sockets(self._ports)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody uses now; SeaweedFS cannot take sockets from us."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def remove_sockets(ports: Iterable[int]) -> None:
    """Remove the UNIX sockets that a killed server leaves behind: those of another user would be in the way."""
    for port in ports:
        for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            path.unlink(missing_ok=True)


@contextmanager
def seaweedfs(folder: Path) -> Iterator[SeaweedFS]:
    """Yield a server that runs until the end of the block."""
    server = _started(folder)
    try:
        yield server
    finally:
        server.kill()


def _started(folder: Path) -> SeaweedFS:
    """Start a server, and once more at other ports if another program has taken one of them in between."""
    for is_last in (False, True):
        server = SeaweedFS(folder)
        try:
            server.start()
            break
        except BaseException:
            server.kill()
            if is_last or "address already in use" not in (folder / "log").read_text():
                raise
    return server
