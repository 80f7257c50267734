"""Files of a database that change during a download, their listing, and the allowed places of a database."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from harness.process import descriptors, other_tasks
from harness.served import Connection, hypercorn
from tools.databases import database as database  # noqa: PLC0414
from tools.databases import fill, opened
from tools.databases import postgres as postgres  # noqa: PLC0414
from tools.databases import sqlite as sqlite  # noqa: PLC0414

from async_downloads.config import Settings
from async_downloads.site.stored import as_json, catalogue_of
from async_downloads.sources.database.catalogue import Catalogue, StoredFile
from async_downloads.sources.database.urls import path_of
from served_site.conftest import SiteOf
from served_site.site import app_of
from served_site.stock import NAME, Stock, target_of
from served_site.stock import more as more  # noqa: PLC0414
from served_site.stock import stock as stock  # noqa: PLC0414

_LARGE = Random(5).randbytes(3 * 1024 * 1024)  # more than all buffers on the way hold
_Change = Callable[[Catalogue], Awaitable[None]]
_with_a_large_file = pytest.mark.parametrize("more", [{"large.bin": _LARGE}], ids=["large"])


async def _replace(catalogue: Catalogue) -> None:
    async def data() -> AsyncIterator[bytes]:
        yield _LARGE[::-1]

    await catalogue.put("large.bin", data(), replace=True)


async def _replace_and_free(catalogue: Catalogue) -> None:
    await _replace(catalogue)
    await catalogue.gc(0)


async def _remove(catalogue: Catalogue) -> None:
    await catalogue.remove("large.bin")


async def _remove_and_free(catalogue: Catalogue) -> None:
    await _remove(catalogue)
    await catalogue.gc(0)


async def _received(connection: Connection) -> bytes:
    """Read until the connection ends, with or without an error."""
    received = b""
    try:
        while chunk := await connection.reader.read(1 << 20):
            received += chunk
            if len(received) == len(_LARGE):
                break
    except ConnectionResetError:
        pass
    return received


async def _received_during(stock: Stock, change: _Change) -> bytes:
    """Begin a download, change its file, and read the rest."""
    async with stock.site.server.downloading(target_of(stock.files["large.bin"])) as download:
        async with opened(stock.url) as catalogue:
            await change(catalogue)
        return await _received(download)


@_with_a_large_file
@pytest.mark.parametrize("change", [_replace, _remove])
async def test_a_download_continues_when_its_file_is_replaced_or_removed(stock: Stock, change: _Change) -> None:
    assert await _received_during(stock, change) == _LARGE


@_with_a_large_file
@pytest.mark.parametrize("change", [_replace_and_free, _remove_and_free])
async def test_a_download_ends_short_when_its_bytes_are_freed(stock: Stock, change: _Change) -> None:
    received = await _received_during(stock, change)
    assert len(received) < len(_LARGE)
    assert _LARGE.startswith(received)


@_with_a_large_file
async def test_a_download_that_is_resumed_after_a_change_starts_again(stock: Stock) -> None:
    target = target_of(stock.files["large.bin"])
    tag = (await stock.site.ask(target, "HEAD")).headers["etag"]
    async with opened(stock.url) as catalogue:
        await _replace(catalogue)
    response = await stock.site.get(target, range="bytes=1000000-", if_range=tag)
    assert (response.status_code, response.content) == (200, _LARGE[::-1])


async def test_a_removed_file_gets_404(stock: Stock) -> None:
    async with opened(stock.url) as catalogue:
        await catalogue.remove(NAME)
    assert (await stock.get()).status_code == 404


@_with_a_large_file
async def test_slow_clients_do_not_delay_others(stock: Stock) -> None:
    server, target = stock.site.server, target_of(stock.files["large.bin"])
    async with AsyncExitStack() as clients:
        slow = [await clients.enter_async_context(server.downloading(target)) for _ in range(12)]
        assert (await stock.get()).status_code == 200
        assert {await _received(client) == _LARGE for client in slow} == {True}


async def test_the_listing_describes_each_file(stock: Stock) -> None:
    file = stock.files[NAME]
    response = await stock.site.get("/files")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "truncated": False,
        "files": [
            {
                "id": file.token,
                "name": NAME,
                "size": file.size,
                "type": "application/pdf",
                "sha256": file.sha256.hex(),
                "created": datetime.fromtimestamp(file.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "url": stock.target,
            }
        ],
    }
    assert (await stock.site.get("/files", if_none_match=response.headers["etag"])).status_code == 304
    assert (await stock.site.ask("/files", "HEAD")).headers["content-length"] == response.headers["content-length"]


async def test_there_is_no_listing_without_the_setting(stock: Stock, site_of: SiteOf) -> None:
    assert (await (await site_of(Settings(database=stock.url))).get("/files")).status_code == 404


async def test_the_listing_has_integer_ids_with_the_setting(stock: Stock, site_of: SiteOf) -> None:
    site = await site_of(stock.settings, file_ids="integer")
    [listed] = (await site.get("/files")).json()["files"]
    assert listed["id"] == str(stock.files[NAME].id)
    assert (await site.get(listed["url"])).status_code == 200
    assert stock.files[NAME].token not in (await site.get("/files")).text


def test_the_listing_is_bounded() -> None:
    files = [StoredFile(number, "t", 1, f"{number}", "a/b", 0, b"", 0) for number in range(10_001)]
    assert b'"truncated": true' in as_json(files, "integer", "/")
    assert as_json(files, "integer", "/").count(b'"name"') == 10_000
    assert b'"truncated": false' in as_json(files[:-1], "integer", "/")


async def test_a_server_that_ends_disconnects_from_the_database(database: str) -> None:
    files = await fill(database, a=b"here")
    threads, tasks, open_before = _threads(), other_tasks(), len(descriptors())
    async with hypercorn(app_of(Settings(database=database))) as server, server.connected() as connection:
        await connection.ask(target_of(files["a"]))
        assert (await connection.read_response())[2] == b"here"
    await asyncio.sleep(0)
    assert (_threads(), other_tasks()) == (threads, tasks)
    assert len(descriptors()) <= open_before


def _threads() -> list[threading.Thread]:
    """Return the running threads without those of the loop's executor."""
    return [thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")]


@pytest.mark.parametrize("place", ["files.db", "a/files.db", "link/files.db"])
@pytest.mark.parametrize("setting", ["directory", "client_csv", "download_images"])
def test_a_database_in_a_served_folder_is_refused(tmp_path: Path, place: str, setting: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    changed = {setting: tmp_path}
    with pytest.raises(ValueError, match=r"files\.db is in .*, which is served"):
        catalogue_of(Settings(database=f"sqlite:///{tmp_path}/{place}", **changed))  # type: ignore[arg-type] # a path


def test_a_database_is_refused_if_symbolic_links_are_followed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave out --follow-symlinks"):
        catalogue_of(Settings(database=f"sqlite:///{tmp_path}/x", directory=tmp_path / "tree", follow_symlinks=True))


def test_a_database_that_is_the_served_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="which is served"):
        catalogue_of(Settings(database=f"sqlite:///{tmp_path}/x", download_file=tmp_path / "x"))


@pytest.mark.parametrize("place", [".files.db", ".a/files.db", "../files.db", "../tree2/files.db"])
def test_a_database_outside_of_served_folders_is_accepted(tmp_path: Path, place: str) -> None:
    settings = Settings(database=f"sqlite:///{tmp_path}/tree/{place}", directory=tmp_path / "tree")
    assert catalogue_of(settings)


def test_a_hidden_database_is_refused_if_hidden_files_are_served(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="which is served"):
        catalogue_of(Settings(database=f"sqlite:///{tmp_path}/.files.db", directory=tmp_path, hidden=True))


def test_each_url_serves_its_file() -> None:
    assert path_of("sqlite:///a%20b.db") == Path("a b.db")
    assert path_of("sqlite:////a.db") == Path("/a.db")
    assert path_of("sqlite:///") is path_of("postgresql:///x") is None
