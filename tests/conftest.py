"""Fixtures for all tests: settings of Hypothesis, and servers that are always stopped."""

import logging
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Protocol
from uuid import uuid4

import pytest
from harness.asgi import App
from harness.clock import Clock
from harness.memory import freeze_garbage_collector, return_free_memory
from harness.postgres import limited_database, postgres_server, schema_of_its_own
from harness.seaweedfs import BUCKET, SeaweedFS, seaweedfs
from harness.served import Server, served
from harness.waiting import HANGING
from hypothesis import settings

from async_downloads.server.drain import DrainGate
from async_downloads.server.request_observer import RequestObserver

# Hypothesis has no deadline, since pytest limits the time of each test. It uses the same examples on every run, so
# that a failure comes from the change under test.
settings.register_profile("laws", deadline=None, derandomize=True)
settings.load_profile("laws")

# A background job ignores Ctrl-C. The programs that the tests start must not inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # `nohup` ignores it
    signal.signal(signal.SIGHUP, lambda *_: None)


collect_ignore = ["harness/swift_server.py"]  # a program of its own; to import eventlet warns


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Let a worker without tests take some of another's: `-n` alone gives the first worker all tests of commands.

    Those take minutes, in which the others would have nothing to do. xdist later replaces "no" by "load"; by then, an
    explicit `--dist load` would look the same.
    """
    if config.getoption("numprocesses", None) and config.option.dist == "no" and not config.option.distload:
        config.option.dist = "worksteal"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest tests first: they take seconds, and at the end one worker would run them alone."""
    long = ("tests/test_readme.py", "tests/tools/", "tests/replicas/", "tests/docs/")
    items.sort(key=lambda item: not item.nodeid.startswith(long))


def pytest_collection_finish() -> None:
    """Leave the tests themselves out of garbage collections."""
    freeze_garbage_collector()


@pytest.fixture(scope="module", autouse=True)
def _memory() -> Iterator[None]:
    """Return the memory of a module's tests to the system after the last of them."""
    yield
    return_free_memory()


class Serve(Protocol):
    """A function that starts a server."""

    async def __call__(
        self, app: App, *, certificate: tuple[Path, Path] | None = None, observers: Sequence[RequestObserver] = ()
    ) -> Server:
        """Serve the app; with a certificate and its key over TLS."""


@pytest.fixture(scope="session")
def content() -> bytes:
    """4 MiB of random bytes, in which no two places are the same."""
    return Random(0).randbytes(4 * 1024 * 1024)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "certificate.pem", folder / "key.pem"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(["openssl", *options.split(), *names], check=True, capture_output=True, timeout=HANGING)
    return paths


@pytest.fixture
def large(tmp_path: Path, content: bytes) -> Path:
    """A file that takes many chunks to send."""
    path = tmp_path / "large.bin"
    path.write_bytes(content)
    return path


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock of the loop that a busy machine does not move forward, for tests of timeouts."""
    return Clock(monkeypatch)


@pytest.fixture(scope="session")
def _postgres() -> Iterator[str]:
    """Run a PostgreSQL from the first test that needs it until the last test."""
    with postgres_server() as url:
        yield url


@pytest.fixture
async def postgres_url(_postgres: str) -> AsyncIterator[str]:
    """The URL of a real PostgreSQL that holds only what the test stores."""
    async with schema_of_its_own(_postgres) as url:
        yield url


@pytest.fixture(scope="session")
def _limited_postgres(_postgres: str) -> Iterator[str]:
    """Make a database with limits for all tests that need one."""
    with limited_database(_postgres) as url:
        yield url


@pytest.fixture
async def limited_postgres_url(_limited_postgres: str) -> AsyncIterator[str]:
    """The URL of a real PostgreSQL without large objects and advisory locks, for this test alone."""
    async with schema_of_its_own(_limited_postgres) as url:
        yield url


@pytest.fixture(scope="session")
def _seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """Run a SeaweedFS from the first test that needs it until the last test."""
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture
def s3_server(_seaweedfs: SeaweedFS) -> SeaweedFS:
    """A real S3 server; a test that kills it starts it again."""
    return _seaweedfs


@pytest.fixture
def s3_url(_seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a part of a bucket on a real S3 server, for this test alone; the environment says how to reach it."""
    for name, value in _seaweedfs.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid4().hex}"


@pytest.fixture
async def serve(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Serve]:
    """Serve apps behind a DrainGate, as `serve` does, until the test ends. The test fails if an app raised."""
    async with AsyncExitStack() as servers:

        async def start(
            app: App, *, certificate: tuple[Path, Path] | None = None, observers: Sequence[RequestObserver] = ()
        ) -> Server:
            serving = served(DrainGate(app), certificate=certificate, observers=observers)
            return await servers.enter_async_context(serving)

        yield start
    assert not [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
