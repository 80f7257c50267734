"""What all tests share: settings for laws, and servers that are always stopped."""

import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Protocol

import pytest
from harness.asgi import App
from harness.clock import Clock
from harness.postgres import postgres_server, schema_of_its_own
from harness.served import Server, hypercorn
from hypothesis import settings

# No clock of their own, since pytest's bounds every test; and the same examples on every run, so that a test that
# fails does so because of the change under test.
settings.register_profile("laws", deadline=None, derandomize=True)
settings.load_profile("laws")

# A job in the background ignores Ctrl-C. What is started by the tests must not take that over from them.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nor what `nohup` does
    signal.signal(signal.SIGHUP, lambda *_: None)


class Serve(Protocol):
    """How a test starts a server."""

    async def __call__(self, app: App, *, certificate: tuple[Path, Path] | None = None) -> Server:
        """Serve the app; with a certificate and its key over TLS."""


@pytest.fixture(scope="session")
def content() -> bytes:
    """4 MiB without a pattern, so that no two places of it look the same."""
    return Random(0).randbytes(4 * 1024 * 1024)


@pytest.fixture
def large(tmp_path: Path, content: bytes) -> Path:
    """A file that takes many chunks to send."""
    path = tmp_path / "large.bin"
    path.write_bytes(content)
    return path


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The loop's clock, which no other work of the machine makes run away: for tests of what comes too late."""
    return Clock(monkeypatch)


@pytest.fixture(scope="session")
def _postgres() -> Iterator[str]:
    """Have a PostgreSQL from the first test that needs it to the last of all."""
    with postgres_server() as url:
        yield url


@pytest.fixture
async def postgres_url(_postgres: str) -> AsyncIterator[str]:
    """Return the URL of a real PostgreSQL in which nothing is but what the test stores."""
    async with schema_of_its_own(_postgres) as url:
        yield url


@pytest.fixture
async def serve(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Serve]:
    """Serve apps on a Hypercorn in this loop until the test ends; none of them may have raised."""
    async with AsyncExitStack() as servers:

        async def start(app: App, *, certificate: tuple[Path, Path] | None = None) -> Server:
            return await servers.enter_async_context(hypercorn(app, certificate=certificate))

        yield start
    assert not [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
