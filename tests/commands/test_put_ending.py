"""`async-downloads put`: what is left when it is killed or interrupted."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.waiting import HANGING, eventually
from tools.command import COMMAND, environment
from tools.databases import content, fill, ran, stored
from tools.databases import database as database  # noqa: PLC0414
from tools.databases import postgres as postgres  # noqa: PLC0414
from tools.databases import sqlite as sqlite  # noqa: PLC0414

_MUCH = 24 * 1024 * 1024  # more than a database takes in one transaction


@contextmanager
def _putting(url: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Put standard input; a large part of it was read, and its end has not come yet."""
    command = [*COMMAND, "put", "-", "--name", "begun", "--database", url, *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment(), stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    ) as process:
        try:
            assert process.stdin
            process.stdin.write(bytes(_MUCH))  # waits until all but a pipe's capacity was read
            yield process
        finally:
            process.kill()


async def test_a_killed_put_leaves_no_visible_file_and_gc_frees_its_bytes(database: str) -> None:
    with _putting(database) as process:
        assert await stored(database) == {}
        process.kill()
        process.wait()
    assert await stored(database) == {}
    freed: list[int] = []

    def some_freed() -> bool:
        freed.append(int(ran("db", "gc", "--grace", "0", url=database).split()[0]))
        return freed[-1] > 0

    await eventually(some_freed)  # the server may still work for the killed process
    assert freed[-1] <= _MUCH


async def test_when_it_is_killed_the_file_that_was_to_be_replaced_is_still_there(database: str) -> None:
    await fill(database, begun=b"before")
    with _putting(database, "--replace") as process:
        process.kill()
        process.wait()
    assert await content(database, "begun") == b"before"


async def test_when_it_is_interrupted_it_ends_at_once_and_nothing_is_seen(database: str) -> None:
    with _putting(database) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=HANGING) == 130
        assert process.stdout
        assert process.stderr
        assert process.stdout.read() == b""
        assert process.stderr.read() == b"async-downloads: interrupted\n"
    assert await stored(database) == {}


async def test_files_stored_before_an_interruption_stay(sqlite: str, tmp_path: Path) -> None:
    (tmp_path / "first").write_bytes(b"first")
    os.mkfifo(tmp_path / "second")
    command = [*COMMAND, "put", "first", "second", "--database", sqlite]
    with subprocess.Popen(command, env=environment(), cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline().endswith(b"\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=HANGING) == 130
    assert {*await stored(sqlite)} == {"first"}
