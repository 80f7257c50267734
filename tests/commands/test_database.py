"""`async-downloads ls`, `rm` and `db`: looking after the files in a database."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tools.command import COMMAND, environment, finished
from tools.databases import content, fill, opened, ran, stored
from tools.databases import database as database  # noqa: PLC0414
from tools.databases import postgres as postgres  # noqa: PLC0414
from tools.databases import sqlite as sqlite  # noqa: PLC0414


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_files_are_listed_by_name_in_columns(database: str) -> None:
    files = await fill(database, **{"b.txt": b"b" * 1000, "a b.bin": b"a", "ä/ö.png": b""})
    lines = ran("ls", url=database).splitlines()
    assert [line.split()[0] for line in lines] == [files[name].token for name in ("a b.bin", "b.txt", "ä/ö.png")]
    assert [line.split("Z  ")[1] for line in lines] == ["a b.bin", "b.txt", "ä/ö.png"]
    assert len({line.index("Z  ") for line in lines}) == 1
    assert lines[1] == (
        f"{files['b.txt'].token}  1000  text/plain; charset=utf-8  {_time(files['b.txt'].created)}  b.txt"
    )


async def test_with_json_each_line_is_an_object(sqlite: str) -> None:
    file = (await fill(sqlite, **{"ä.txt": b"abc"}))["ä.txt"]
    [line] = ran("ls", "--json", "--ids", "integer", url=sqlite).splitlines()
    assert json.loads(line) == {
        "id": str(file.id),
        "name": "ä.txt",
        "size": 3,
        "media_type": "text/plain; charset=utf-8",
        "created": _time(file.created),
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }


@pytest.mark.parametrize("option", [(), ("--json",)], ids=["columns", "json"])
async def test_without_files_nothing_is_listed(sqlite: str, option: tuple[str, ...]) -> None:
    assert ran("ls", *option, url=sqlite) == ""


async def test_a_letter_that_a_terminal_lacks_is_written_as_a_number(sqlite: str) -> None:
    await fill(sqlite, **{"日.txt": b""})
    assert ran("ls", url=sqlite, env={"PYTHONIOENCODING": "latin-1:strict"}).endswith("  \\u65e5.txt\n")


async def test_a_reader_that_closes_the_pipe_is_not_an_error(sqlite: str) -> None:
    await fill(sqlite, a=b"a")
    command, env = [*COMMAND, "ls", "--database", sqlite], environment()
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""


async def test_the_variable_of_ours_comes_before_the_common_one(sqlite: str) -> None:
    assert ran("ls", url=sqlite, env={"DATABASE_URL": "sqlite:////no/such.db"}) == ""


async def test_files_are_removed_by_id_and_by_name(database: str) -> None:
    files = await fill(database, a=b"a", b=b"b", c=b"c", d=b"d")
    assert ran("rm", "--name", "b", "--", files["a"].token, url=database) == ""
    assert {*await stored(database)} == {"c", "d"}
    assert ran("rm", files["c"].id, url=database, env={"ASYNC_DOWNLOADS_FILE_IDS": "integer"}) == ""
    assert {*await stored(database)} == {"d"}


async def test_rm_reports_missing_files_and_removes_the_others(sqlite: str) -> None:
    files = await fill(sqlite, a=b"a")
    ended = finished("rm", "b", "--name", "b", "--database", sqlite, "--", files["a"].token)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        "async-downloads: there is no file with the id 'b' (--name removes a file by its name)",
        "async-downloads: there is no file 'b'",
    ]
    assert await stored(sqlite) == {}


async def test_gc_frees_removed_files_after_the_grace_time(database: str) -> None:
    await fill(database, a=b"a" * 1000)
    async with opened(database) as catalogue:
        await catalogue.remove("a")
    assert ran("db", "gc", url=database) == "0 bytes freed\n"
    assert ran("db", "gc", "--grace", "0", url=database) == "1000 bytes freed\n"


async def test_making_the_tables_again_changes_nothing(sqlite: str) -> None:
    await fill(sqlite, a=b"a")
    assert ran("db", "init", url=sqlite) == ""
    assert await content(sqlite, "a") == b"a"


async def test_a_database_is_made(tmp_path: Path) -> None:
    assert ran("db", "init", url="sqlite:///new.db", cwd=tmp_path) == ""
    assert await stored(f"sqlite:///{tmp_path}/new.db") == {}


async def test_check_accepts_undamaged_files(database: str) -> None:
    await fill(database, a=b"a" * 1_000_000, b=b"")
    assert ran("db", "check", url=database) == ""


async def test_a_file_that_is_damaged_is_named(sqlite: str) -> None:
    await fill(sqlite, a=b"a" * 1_000_000, b=b"b", c=b"c")
    with closing(sqlite3.connect(sqlite.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("update chunk set data = x'78' where data = x'62'")
    ended = finished("db", "check", "--database", sqlite)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert [line.partition(": ")[0] for line in ended.stdout.splitlines()] == ["b"]


def test_the_command_loads_what_it_needs_when_it_runs() -> None:
    program = "import sys; before = {*sys.modules}; import async_downloads.cli; print(*{*sys.modules} - before)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert not {"asyncpg", "httpx", "hypercorn", "quart", "rich", "sqlite3"} & {*loaded.split()}
