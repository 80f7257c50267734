"""`async-downloads put`: what is stored, under which name, and what is printed."""

import asyncio
import os
import subprocess
import threading
from pathlib import Path
from random import Random

import pytest
from tools.command import finished
from tools.databases import content, fill, ran, stored
from tools.databases import database as database  # noqa: PLC0414
from tools.databases import postgres as postgres  # noqa: PLC0414
from tools.databases import sqlite as sqlite  # noqa: PLC0414

from async_downloads.commands import inputs
from async_downloads.commands.inputs import open_input

_LARGE = 20 * 1024 * 1024 + 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with files to put."""
    for name in ("a.txt", "b.png", "c"):
        (tmp_path / name).write_bytes(name.encode() * 3)
    return tmp_path


async def test_a_file_is_stored_and_its_id_and_path_are_printed(database: str, folder: Path) -> None:
    printed = ran("put", folder / "a.txt", url=database)
    file = (await stored(database))["a.txt"]
    assert printed == f"{file.token}\t/files/download/{file.token}\n"
    assert file.media_type == "text/plain; charset=utf-8"
    assert await content(database, "a.txt") == b"a.txta.txta.txt"


async def test_files_go_in_turn_a_line_for_each(sqlite: str, folder: Path) -> None:
    env = {"ASYNC_DOWNLOADS_FILE_IDS": "integer"}
    printed = ran("put", "c", "a.txt", "b.png", url=sqlite, cwd=folder, env=env)
    ids = [(await stored(sqlite))[name].id for name in ("c", "a.txt", "b.png")]
    assert printed == "".join(f"{number}\t/files/download/{number}\n" for number in ids)


async def test_a_large_file_arrives_whole(database: str, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(Random(1).randbytes(_LARGE))
    ran("put", large, url=database)
    assert await content(database, "large.bin") == large.read_bytes()


async def test_put_reports_files_that_fail_and_stores_the_others(sqlite: str, folder: Path) -> None:
    await fill(sqlite, c=b"taken")
    ended = finished("put", "no-such", "a.txt", ".", "c", "b.png", "--database", sqlite, cwd=folder)
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "async-downloads: cannot read 'no-such': No such file or directory",
        "async-downloads: '.' is a folder: name the files in it",
        "async-downloads: there is already a file 'c': use --replace to replace it",
    ]
    assert len(ended.stdout.splitlines()) == 2
    assert {*await stored(sqlite)} == {"a.txt", "b.png", "c"}


async def test_a_name_that_is_taken_is_refused_unless_it_is_to_be_replaced(database: str, folder: Path) -> None:
    before = (await fill(database, c=b"before"))["c"]
    ended = finished("put", folder / "c", "--database", database)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "async-downloads: there is already a file 'c': use --replace to replace it\n"
    assert await content(database, "c") == b"before"
    printed = ran("put", folder / "c", "--replace", url=database)
    assert printed.split()[0] == before.token
    assert await content(database, "c") == b"ccc"


async def test_standard_input_needs_a_name_and_may_have_a_type(sqlite: str, folder: Path) -> None:
    with (folder / "a.txt").open("rb") as file:
        ran("put", "-", "--name", "x/y.bin", "--type", "text/csv; header=present", url=sqlite, stdin=file.fileno())
    assert (await stored(sqlite))["x/y.bin"].media_type == "text/csv; header=present"
    assert await content(sqlite, "x/y.bin") == b"a.txta.txta.txt"


async def test_of_standard_input_the_rest_is_stored(sqlite: str, folder: Path) -> None:
    with (folder / "a.txt").open("rb") as file:
        os.lseek(file.fileno(), 5, os.SEEK_SET)
        ran("put", "-", "--name", "rest", url=sqlite, stdin=file.fileno())
    assert await content(sqlite, "rest") == b"a.txta.txt"


async def test_a_pipe_is_read_to_its_end(sqlite: str) -> None:
    with subprocess.Popen(["sh", "-c", "for i in 1 2 3; do printf $i; done"], stdout=subprocess.PIPE) as shell:
        assert shell.stdout
        ran("put", "-", "--name", "counted", url=sqlite, stdin=shell.stdout.fileno())
    assert await content(sqlite, "counted") == b"123"


async def test_a_named_pipe_is_waited_for(sqlite: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"at last",))
    writer.start()
    ran("put", tmp_path / "pipe", url=sqlite)
    writer.join()
    assert await content(sqlite, "pipe") == b"at last"


@pytest.mark.parametrize("source", ["/dev/null", "empty"])
async def test_nothing_is_stored_as_nothing(sqlite: str, tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").touch()
    ran("put", tmp_path / source, "--name", "nothing", url=sqlite)
    assert (await stored(sqlite))["nothing"].size == 0


async def test_names_are_kept_as_they_are(sqlite: str, tmp_path: Path) -> None:
    names = {"Größe und Maß.txt", "日本語.txt", "🙂", "a'b\"c;--.sql", "-dash", "%2e%2e", "$(x) *", "[red]"}
    for name in names:
        (tmp_path / name).write_bytes(b"named")
    ran("put", "--", *names, url=sqlite, cwd=tmp_path)
    assert {*await stored(sqlite)} == names


async def test_put_says_that_a_pipe_has_no_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inputs, "_SILENT_SECONDS", 0.0)
    os.mkfifo(tmp_path / "pipe")
    printed = ""
    async with open_input(tmp_path / "pipe") as source:
        chunks = source.chunks(lambda _: None)
        first = asyncio.ensure_future(anext(chunks))
        while not printed:
            await asyncio.sleep(0)
            printed = capfd.readouterr().err
        (tmp_path / "pipe").write_bytes(b"late")
        assert await first == b"late"
        await chunks.aclose()
    assert printed.endswith("pipe' is a pipe: waiting for a program to write to it\n")
