"""The programs of examples/: each one runs, and says how to run it."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import httpx
import pytest
from harness.served import hypercorn
from harness.threaded import threaded
from quart.testing import QuartClient
from rich.console import Console

from async_downloads import DirectoryStore, Downloads
from async_downloads.testing import check_store
from examples.programs import EXAMPLES, run_program

PROGRAMS = sorted(EXAMPLES.glob("*.py"))
README = (EXAMPLES / "README.md").read_text("utf-8")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in which the programs run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_a_program_says_how_to_run_it(program: Path) -> None:
    docstring = program.read_text("utf-8").split('"""')[1]
    assert f"async-downloads run {program.stem}:" in docstring or f"python {program.name}" in docstring
    assert f"[{program.name}]({program.name})" in README


@pytest.fixture
def private(folder: Path) -> QuartClient:
    """A client of the app with a file for each user."""
    for user in ("ann", "ben"):
        (folder / "private" / user).mkdir(parents=True)
        (folder / "private" / user / "notes.txt").write_text(f"for {user} alone\n")
    app: Any = run_program("quart_private_files").app
    client: QuartClient = app.test_client()
    return client


ANN = {"Authorization": "Basic YW5uOmNvcnJlY3QgaG9yc2U="}
ANN_IN_BENS_NAME = {"Authorization": "Basic YmVuOmNvcnJlY3QgaG9yc2U="}


async def test_a_user_reads_the_files_of_one_folder(private: QuartClient) -> None:
    response = await private.get("/files/notes.txt", headers={**ANN, "Range": "bytes=0-2"})
    assert (response.status_code, await response.get_data()) == (206, b"for")
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert (await private.get("/files/%2e%2e/ben/notes.txt", headers=ANN)).status_code == 404


@pytest.mark.parametrize("login", [{}, ANN_IN_BENS_NAME], ids=["no password", "another user's password"])
async def test_private_files_need_the_right_password(private: QuartClient, login: dict[str, str]) -> None:
    response = await private.get("/files/notes.txt", headers=login)
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, 'Basic realm="files"')


async def test_a_shared_link_opens_one_file_without_a_password(private: QuartClient) -> None:
    link = str(await (await private.get("/share/notes.txt", headers=ANN)).get_data(as_text=True)).strip()
    path = link.removeprefix("http://localhost")
    assert await (await private.get(path)).get_data() == b"for ann alone\n"
    assert (await private.get(path.replace("/ann/", "/ben/"))).status_code == 403


@pytest.mark.parametrize("name", ["../ben/notes.txt", "%2e%2e/ben/notes.txt", "..%2fben/notes.txt"])
async def test_no_user_can_share_the_file_of_another_user(private: QuartClient, name: str) -> None:
    assert (await private.get(f"/share/{name}", headers=ANN)).status_code == 404


@pytest.fixture
def zipped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.AsyncClient]:
    """A client of the app that serves an archive."""
    with ZipFile(folder / "archive.zip", "w", ZIP_DEFLATED) as archive:
        archive.mkdir("texts")
        archive.writestr("texts/a.txt", "0123456789" * 100_000)
    monkeypatch.setenv("ARCHIVE", "archive.zip")
    app = run_program("custom_source").app
    yield httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")
    app.store._archive.close()


async def test_the_files_of_an_archive_are_served(zipped: httpx.AsyncClient) -> None:
    whole = await zipped.get("/texts/a.txt")
    part = await zipped.get("/texts/a.txt", headers={"Range": "bytes=700001-700003", "If-Range": whole.headers["ETag"]})
    assert whole.content == b"0123456789" * 100_000
    assert (part.status_code, part.content) == (206, b"123")
    assert whole.headers["Content-Type"] == "text/plain"
    assert [(await zipped.get(path)).status_code for path in ("/texts/b.txt", "/texts/", "/texts")] == [404] * 3


async def test_the_store_of_an_archive_keeps_the_contract_of_stores(folder: Path) -> None:
    contents = {"a.txt": b"small", "empty": b"", "docs/b.bin": Random(1).randbytes(1_000_000)}
    with ZipFile(folder / "archive.zip", "w", ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    store = run_program("custom_source").ZipStore("archive.zip")
    await check_store(store, contents)
    store._archive.close()


def test_five_files_are_downloaded_with_bars(folder: Path) -> None:
    served = folder / "served"
    served.mkdir()
    names = [f"file-{number}.bin" for number in range(5)]
    for name in names:
        (served / name).write_bytes(name.encode() * 50_000)
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    program = run_program("download_with_bars")
    with threaded(hypercorn(Downloads(DirectoryStore(served)))) as server:
        urls = [f"{server.url}/{name}" for name in [*names, "missing"]]
        assert asyncio.run(program.download_all(urls, console)) == 1
    assert [(folder / name).read_bytes() == (served / name).read_bytes() for name in names] == [True] * 5
    shown = console.file.getvalue()  # type: ignore[attr-defined] # it is the StringIO
    assert [name for name in names if name not in shown] == []
    assert "500.0/500.0 kB" in shown
    assert f"{server.url}/missing: the server responded 404" in shown
