"""Fixtures of the transport's tests: scripted servers for http and https, and a client that trusts them."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from harness.scripted import scripted

from async_downloads.client.http.transport import new_client
from client.http.test_transport import Start


@pytest.fixture
def trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the servers' certificate as the only trusted one."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))


@pytest.fixture
async def client(trusted: None) -> AsyncIterator[httpx.AsyncClient]:
    """The client of the package, which trusts the servers."""
    async with new_client() as client:
        yield client


@pytest.fixture(params=["http", "https"])
def start(request: pytest.FixtureRequest, certificate: tuple[Path, Path]) -> Start:
    """Start a scripted server, for each scheme in turn."""
    return partial(scripted, certificate=certificate if request.param == "https" else None)
