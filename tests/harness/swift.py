"""A second real S3 server for tests: OpenStack Swift, as pip installs it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from async_downloads.sources.object_storage import S3Signer
from harness.seaweedfs import BUCKET, free_ports
from harness.waiting import HANGING

__all__ = ["swift"]

_ACCOUNT: Final = {"AWS_ACCESS_KEY_ID": "test:tester", "AWS_SECRET_ACCESS_KEY": "testing"}
_PORTS: Final = 4


@contextmanager
def swift(folder: Path) -> Iterator[Mapping[str, str]]:
    """Run a server with one bucket until the end of the block; yields the variables with which clients reach it."""
    ports = free_ports(_PORTS)
    endpoint, log = f"http://127.0.0.1:{ports[0]}", folder / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-W", "ignore", "-m", "harness.swift_server", f"{folder}/swift", *map(str, ports)]
        server = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # it ends when this pipe does, however these tests end
            stdout=output,
            stderr=output,
            cwd=Path(__file__).parents[1],
            # Else eventlet imports dnspython, which imports Trio, which does not know eventlet's sockets.
            env={**os.environ, "EVENTLET_NO_GREENDNS": "yes"},
            start_new_session=True,
        )
    try:
        _make_bucket(server, endpoint, log)
        yield {**_ACCOUNT, "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1"}
    finally:
        server.kill()
        server.communicate(timeout=HANGING)


def _make_bucket(server: "subprocess.Popen[bytes]", endpoint: str, log: Path) -> None:
    signer = S3Signer(f"{endpoint}/{BUCKET}", "", *_ACCOUNT.values())
    deadline = time.monotonic() + HANGING
    while time.monotonic() < deadline and server.poll() is None:
        try:
            url = signer.sign("PUT", "", now=time.time(), seconds=60)
            if httpx.put(url, timeout=HANGING).status_code in {200, 409}:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)  # Swift sends no signal when it is ready
    pytest.fail(f"Swift does not start: {log.read_text()[-2000:]}")
