"""A real PgBouncer in front of a real PostgreSQL. Each transaction may get another one of its connections."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from harness.postgres import Postgres
from harness.waiting import HANGING

__all__ = ["pgbouncer"]

_PORT: Final = 6432  # a part of the socket's name only
_CONFIGURATION: Final = """\
[databases]
postgres = host={folder} user=postgres

[pgbouncer]
auth_type = any
default_pool_size = {connections}
listen_port = {port}
pool_mode = transaction
server_round_robin = 1
unix_socket_dir = {folder}/bouncer
"""


@contextmanager
def pgbouncer(program: str, server: Postgres, *, connections: int) -> Iterator[str]:
    """Yield the URL of a PgBouncer with that many connections to the server until the end of the block."""
    folder = server.folder / "bouncer"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)  # PgBouncer refuses to be root, as PostgreSQL does
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(_CONFIGURATION.format(folder=server.folder, port=_PORT, connections=connections))
    process = subprocess.Popen(
        [program, "-q", configuration], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **server.user
    )
    try:
        _await_socket(folder / f".s.PGSQL.{_PORT}", process)
        yield f"postgresql://anyone@/postgres?host={folder}&port={_PORT}"
    finally:
        process.terminate()
        process.communicate(timeout=HANGING)


def _await_socket(path: Path, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            return
    raise AssertionError(process.communicate()[1].decode())
