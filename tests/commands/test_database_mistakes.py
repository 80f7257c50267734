"""Mistakes (exit code 2) and failures (1) of the commands for databases: one line each, and never a password."""

import os
import subprocess
from pathlib import Path

import pytest
from harness.waiting import HANGING
from tools.command import COMMAND, environment, finished, refusal
from tools.databases import database as database  # noqa: PLC0414
from tools.databases import failure, stored
from tools.databases import postgres as postgres  # noqa: PLC0414
from tools.databases import sqlite as sqlite  # noqa: PLC0414

_NOWHERE = "postgresql://me:s3cret@127.0.0.1:1/files"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with a file to put."""
    (tmp_path / "a").write_bytes(b"a")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "message"),
    [
        pytest.param(("put", "a"), "no database or bucket is given: use --database sqlite:///files.db", id="put"),
        pytest.param(("db", "gc"), "no database is given: use --database sqlite:///files.db", id="db"),
    ],
)
def test_a_missing_database_option_is_explained(command: tuple[str, ...], message: str) -> None:
    line = refusal(*command)
    assert message in line
    assert "or set ASYNC_DOWNLOADS_DATABASE" in line


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(("put",), "FILE", id="nothing-to-put"),
        pytest.param(("put", "no-such"), "cannot read 'no-such': No such file or directory", id="no-such-file"),
        pytest.param(("put", "no-such\n\udcff"), r"cannot read 'no-such\n\udcff'", id="no-such-file-in-two-lines"),
        pytest.param(("put", "."), "'.' is a folder: name the files in it", id="directory"),
        pytest.param(("put", "a", "--name", "../a"), "'../a' cannot be the name", id="name-outside"),
        pytest.param(("put", "a", "--name", "a\nb"), r"'a\nb' cannot be the name", id="name-in-two-lines"),
        pytest.param(("put", "a", "--name", "\udcff"), r"'\udcff' cannot be the name", id="name-no-text"),
        pytest.param(("put", "a", "--type", "text"), "'text' is not a media type", id="type-without-subtype"),
        pytest.param(("put", "a", "--type", "text/plain\r\nX: y"), "is not a media type", id="type-in-two-lines"),
        pytest.param(("put", "a", "--type", "text/plain; charset"), "is not a media type", id="type-half-a-parameter"),
        pytest.param(("put", "a", "-"), "standard input has no name", id="standard-input-among-others"),
        pytest.param(("put", "a", "a", "--name", "b"), "--name needs exactly one file", id="two-files-one-name"),
        pytest.param(("rm",), "no file is given", id="nothing-to-remove"),
        pytest.param(("db",), "Missing command", id="no-command"),
        pytest.param(("db", "gc", "--grace", "nan"), "--grace", id="grace-no-number"),
    ],
)
def test_a_mistake_is_reported_in_one_line(arguments: tuple[str, ...], reason: str, sqlite: str, folder: Path) -> None:
    assert reason in refusal(*arguments, env={"DATABASE_URL": sqlite}, cwd=folder)


@pytest.mark.parametrize("url", ["files.db", "mysql://me:s3cret@host/files", "sqlite:///", "me:s3cret@host/files"])
def test_a_foreign_database_is_refused(url: str) -> None:
    line = refusal("ls", "--database", url)
    assert "expected sqlite:///path.db or postgresql://…" in line
    assert "s3cret" not in line


@pytest.mark.parametrize("url", ["sqlite:files.db", "sqlite:/files.db", "sqlite://files.db", "sqlite:///"])
def test_an_incomplete_database_url_is_explained(url: str) -> None:
    assert f"{url!r} has no path after three slashes: expected sqlite:///path.db" in refusal("ls", "--database", url)


def test_a_driver_that_is_not_installed_is_named(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['asyncpg'] = None\n")
    line = refusal("ls", "--database", _NOWHERE, env={"PYTHONPATH": str(tmp_path)})
    assert "async-downloads[postgres]" in line


@pytest.mark.parametrize("command", [("put", "a"), ("rm", "x"), ("db", "gc")], ids=" ".join)
def test_a_database_without_tables_says_how_to_make_them(command: tuple[str, ...], folder: Path) -> None:
    line = failure(*command, "--database", "sqlite:///new.db", cwd=folder)
    assert "async-downloads db init --database sqlite:///new.db" in line
    assert not (folder / "new.db").exists()


def test_a_postgresql_database_without_tables_says_how_to_make_them(postgres_url: str) -> None:
    assert "async-downloads db init --database postgresql://" in _failed(postgres_url)


def test_an_unreachable_server_is_reported() -> None:
    line = _failed(_NOWHERE)
    assert "postgresql://me@127.0.0.1:1/files cannot be reached: Connection refused: start its server" in line
    assert "s3cret" not in line


def test_a_wrong_password_is_reported_but_not_shown(postgres_url: str) -> None:
    line = _failed(postgres_url.replace("://postgres@", "://locked:s3cret@"))
    assert "locked" in line
    assert "s3cret" not in line


def test_a_url_that_cannot_be_read_does_not_show_its_password() -> None:
    line = _failed("postgresql://me:s3c/ret@127.0.0.1:1/files")
    assert "s3c" not in line
    assert "ret@" not in line
    assert "cannot be read" in line


def _failed(url: str) -> str:
    """Return the one line that `ls` prints when it fails."""
    ended = finished("ls", "--database", url)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended
    return ended.stderr


def test_when_the_database_fails_the_other_files_are_not_tried(folder: Path) -> None:
    assert "db init" in failure("put", "a", "a", "a", "--database", "sqlite:///new.db", cwd=folder)


@pytest.mark.parametrize("command", [("put", "a"), ("ls",), ("db", "init")], ids=" ".join)
def test_a_file_that_is_not_a_database_is_refused_and_kept(command: tuple[str, ...], folder: Path) -> None:
    (folder / "files.db").write_text("a year of work" * 1000)
    assert "not a database" in failure(*command, "--database", "sqlite:///files.db", cwd=folder)
    assert (folder / "files.db").read_text() == "a year of work" * 1000


@pytest.mark.parametrize("command", [("db", "init"), ("db", "gc"), ("ls",), ("put", "a"), ("rm", "x")], ids=" ".join)
@pytest.mark.parametrize("place", ["no/such", "no such"])
def test_a_folder_that_is_not_there_is_named(command: tuple[str, ...], place: str, folder: Path) -> None:
    said = failure(*command, "--database", f"sqlite:///{place}/files.db", cwd=folder)
    quoted = f"'{place}'" if " " in place else place
    assert said == f"async-downloads: there is no folder {place}: create it with mkdir -p {quoted}"


def test_a_file_is_no_folder_of_a_database(folder: Path) -> None:
    assert "a/files.db" in failure("db", "init", "--database", "sqlite:///a/files.db", cwd=folder)


async def test_a_read_only_database_is_reported(sqlite: str, folder: Path) -> None:
    path = Path(sqlite.removeprefix("sqlite:///"))
    path.chmod(0o400)
    assert str(path) in failure("put", "a", "--database", sqlite, cwd=folder)


async def test_a_full_disk_is_reported_and_no_file_appears(sqlite: str, tmp_path: Path) -> None:
    limited = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))\n"
    (tmp_path / "sitecustomize.py").write_text(limited)
    (tmp_path / "large").write_bytes(bytes(8_000_000))
    (tmp_path / "small").write_bytes(b"small")
    ended = finished("put", "large", "small", "--database", sqlite, env={"PYTHONPATH": str(tmp_path)}, cwd=tmp_path)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("async-downloads: cannot store 'large': ")
    assert {*await stored(sqlite)} == {"small"}


async def test_an_unreadable_file_is_reported(sqlite: str, folder: Path) -> None:
    (folder / "a").chmod(0)
    assert "cannot read 'a': Permission denied" in refusal("put", "a", "--database", sqlite, cwd=folder)


async def test_a_file_that_cannot_be_read_to_its_end_is_not_stored(database: str, tmp_path: Path) -> None:
    os.symlink("/proc/self/mem", tmp_path / "broken")
    ended = finished("put", "broken", "--database", database, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "async-downloads: cannot read 'broken': Input/output error\n"
    assert await stored(database) == {}


def test_closed_standard_input_is_reported(sqlite: str) -> None:
    shell = ["sh", "-c", 'exec "$@" <&-', "sh", *COMMAND, "put", "-", "--name", "x", "--database", sqlite]
    ended = subprocess.run(shell, env=environment(), capture_output=True, text=True, timeout=HANGING, check=False)
    assert (ended.returncode, ended.stderr) == (2, "async-downloads: cannot read standard input: it is closed\n")
