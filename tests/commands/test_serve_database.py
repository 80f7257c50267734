"""`async-downloads serve --database`: the files of a database from the first byte to the last, and a clean end."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from harness.ports import reserved_port
from harness.postgres import Postgres
from harness.process import descriptors
from harness.waiting import eventually
from tools.command import ANY_PORT, Command, refusal, serving
from tools.databases import database as database  # noqa: PLC0414
from tools.databases import fill, ran
from tools.databases import postgres as postgres  # noqa: PLC0414
from tools.databases import sqlite as sqlite  # noqa: PLC0414
from tools.programs import run

_DATA = bytes(range(256)) * 8 * 1024
_FILE = "/files/download/1"
_LEAVING = 40  # clients

# The event loop prints a line for each connection that is dropped at the end.
_DROPPING = {"PYTHONWARNINGS": "error,ignore::ResourceWarning"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with a file."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.txt").write_text("in the tree")
    return tree


@pytest.fixture
async def filled(database: str) -> str:
    """The URL of a database with one file."""
    await fill(database, **{"video.bin": _DATA})
    return database


@pytest.fixture(params=["1", "2"], ids=["one process", "two workers"])
async def command(request: pytest.FixtureRequest, tree: Path, filled: str) -> AsyncIterator[Command]:
    """A server of the tree and the database."""
    options = ("--database", filled, "--file-ids", "integer", "--list-files", "--workers", request.param)
    async with serving(tree, *options, "--drain-timeout", "1", env=_DROPPING) as command:
        yield command


async def test_curl_gets_a_range_with_status_206(command: Command) -> None:
    output = run("curl", "-sS", "-vI", "-r", "10-20", command.url + _FILE).decode().lower()
    assert output.startswith("http/1.1 206")
    assert f"content-range: bytes 10-20/{len(_DATA)}" in output.splitlines()
    assert "content-length: 11" in output.splitlines()
    assert run("curl", "-sS", "-r", "10-20", command.url + _FILE) == _DATA[10:21]


async def test_files_are_beside_the_tree(command: Command) -> None:
    assert command.get("/a.txt").text == "in the tree"
    assert command.get(_FILE).content == _DATA
    assert [file["url"] for file in command.get("/files").json()["files"]] == [_FILE]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_at_once_and_leaves_nothing(command: Command, number: signal.Signals) -> None:
    assert command.get(_FILE).content == _DATA
    command.send(number)
    assert await command.ended() == 0
    assert command.stderr == ""


async def test_with_a_download_that_stalls_it_ends_when_its_time_is_up(command: Command) -> None:
    async with command.server.downloading(_FILE):
        command.send(signal.SIGTERM)
        assert await command.ended(within=20) == 0  # without the option it would be half a minute
    [line] = command.stderr.splitlines()
    assert "1 download is running: waiting up to 1 s" in line


async def test_a_client_that_leaves_leaves_nothing(tree: Path, filled: str) -> None:
    async with serving(tree, "--database", filled, "--file-ids", "integer") as command:
        command.get(_FILE)
        before = len(descriptors(pid=command.process.pid))
        for _ in range(_LEAVING):
            async with command.server.downloading(_FILE):
                pass
        # It keeps connections to the database; their number is different on each run.
        await eventually(lambda: len(descriptors(pid=command.process.pid)) < before + _LEAVING // 2)
        assert command.get(_FILE).content == _DATA
        assert command.stderr == ""


async def test_many_at_once_get_the_same(command: Command) -> None:
    downloads = [asyncio.to_thread(command.get, _FILE) for _ in range(12)]
    assert {response.content == _DATA for response in await asyncio.gather(*downloads)} == {True}


@pytest.mark.parametrize("url", ["files.db", "sqlite:///", "sqlite://files.db", "mysql://localhost/files"])
def test_a_url_that_is_none_is_refused(tree: Path, url: str) -> None:
    assert "expected sqlite:///path.db or postgresql://…" in refusal("serve", tree, *ANY_PORT, "--database", url)


def test_a_database_without_tables_is_refused_and_not_made(tree: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none.db"
    reason = refusal("serve", tree, *ANY_PORT, "--database", url)
    assert f"db init --database {url}" in reason
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


def test_a_folder_that_is_not_there_is_named(tree: Path, tmp_path: Path) -> None:
    reason = refusal("serve", tree, *ANY_PORT, "--database", "sqlite:///no/such/files.db", cwd=tmp_path)
    assert reason == "async-downloads: there is no folder no/such: create it with mkdir -p no/such"


def test_a_file_that_is_no_database_is_refused(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "files.db").write_bytes(b"no database" * 1000)
    assert "files.db" in refusal("serve", tree, *ANY_PORT, "--database", f"sqlite:///{tmp_path}/files.db")


def test_a_database_that_would_be_served_itself_is_refused(tree: Path) -> None:
    reason = refusal("serve", ".", *ANY_PORT, "--database", "sqlite:///files.db", cwd=tree)
    assert reason == ("async-downloads: files.db is in ., which is served: move it, or put a dot before its name")


async def test_without_its_server_of_databases_the_tree_is_served(tree: Path) -> None:
    with reserved_port() as port:
        url = f"postgresql://me:secret@127.0.0.1:{port}/files"
        await _served_without(url, tree)


async def _served_without(url: str, tree: Path) -> None:
    async with serving(tree, "--database", url) as command:
        assert command.get("/a.txt").text == "in the tree"
        assert command.get(_FILE).status_code in {502, 503}
        await eventually(lambda: "\n" in command.stderr)
        first, *_ = command.stderr.splitlines()
        assert first.startswith("async-downloads: ")
        assert "serving without its files until the database responds" in first
        assert "secret" not in command.stderr
        command.send(signal.SIGTERM)
        assert await command.ended() == 0


async def test_files_are_there_when_their_server_of_databases_is(tree: Path) -> None:
    databases = Postgres()
    try:
        async with serving(tree, "--database", databases.url, "--file-ids", "integer") as command:
            assert command.get(_FILE).status_code in {502, 503}
            databases.start()
            ran("db", "init", url=databases.url)
            await fill(databases.url, a=_DATA)
            assert command.get(_FILE).content == _DATA
            databases.stop()
            assert command.get(_FILE).status_code in {502, 503}
            databases.start()
            assert command.get(_FILE).content == _DATA
    finally:
        databases.remove()
