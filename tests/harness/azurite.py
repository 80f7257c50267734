"""An emulator of Azure's object store for tests: Azurite, as npm installs it, with one container."""

import base64
import hashlib
import hmac
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Final

import httpx
import pytest

from harness.waiting import HANGING

__all__ = ["CONTAINER", "azurite"]

CONTAINER: Final = "files"
# Every Azurite has this account.
_ACCOUNT: Final = "devstoreaccount1"
_KEY: Final = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_VERSION: Final = "2021-08-06"
_OPTIONS: Final = (
    *("--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--silent"),
    *("--disableTelemetry", "--skipApiVersionCheck"),
)
_READY: Final = re.compile(r"successfully listens on (http://\S+)")
# The shell becomes the server. Its child stops it when the tests end in any way: their end of the pipe is closed then.
_GUARDED: Final = 'exec 3<&0; (read line <&3 || kill -KILL $$) & exec "$@" </dev/null 3<&-'


@contextmanager
def azurite(program: str, folder: Path) -> Iterator[Mapping[str, str]]:
    """Run a server with one container until the end of the block; yields the variables with which clients reach it."""
    log = folder / "log"
    with log.open("wb") as output:
        command = ["sh", "-c", _GUARDED, "sh", program, *_OPTIONS]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=folder)
    try:
        endpoint = f"{_address(server, log)}/{_ACCOUNT}"
        _make_container(endpoint)
        yield {
            "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": _KEY,
            "AZURE_STORAGE_ENDPOINT": endpoint,
        }
    finally:
        server.kill()
        server.communicate(b"stopped\n", timeout=HANGING)


def _address(server: "subprocess.Popen[bytes]", log: Path) -> str:
    """Return the address that the server prints after it has chosen a free port."""
    deadline = time.monotonic() + HANGING
    while time.monotonic() < deadline and server.poll() is None:
        if found := _READY.search(log.read_text()):
            return found[1]
        time.sleep(0.02)  # Azurite sends no signal when it is ready
    pytest.fail(f"Azurite does not start: {log.read_text()[-2000:]}")


def _make_container(endpoint: str) -> None:
    """Send a request with a signature ("Authorize with Shared Key"): obstore can make no container."""
    fields = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": _VERSION}
    named = [f"{name}:{value}" for name, value in fields.items()]
    text = "\n".join(("PUT", *[""] * 11, *named, f"/{_ACCOUNT}/{_ACCOUNT}/{CONTAINER}", "restype:container"))
    signature = base64.b64encode(hmac.digest(base64.b64decode(_KEY), text.encode(), hashlib.sha256)).decode()
    fields["Authorization"] = f"SharedKey {_ACCOUNT}:{signature}"
    response = httpx.put(f"{endpoint}/{CONTAINER}?restype=container", headers=fields, timeout=HANGING)
    assert response.status_code == 201, response.text
