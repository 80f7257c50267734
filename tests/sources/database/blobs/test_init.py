"""Where a new catalogue keeps its bytes, and which changes are refused."""

import sqlite3
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from async_downloads.errors import SourceError
from async_downloads.sources.database.database_catalogue import DatabaseCatalogue
from async_downloads.sources.database.urls import open_catalogue
from sources.contract import read_whole
from sources.database.uploads import SMALL, blocks


async def _init(url: str, blobs: str | None = None) -> None:
    async with aclosing(open_catalogue(url, blobs=blobs)) as catalogue:
        await catalogue.init()


async def test_only_init_needs_the_url_of_the_bucket(catalogue: DatabaseCatalogue, url: str, bucket: str) -> None:
    await catalogue.put("a.txt", blocks(SMALL))
    await _init(url)
    await _init(url, f"{bucket}/")
    async with aclosing(open_catalogue(url)) as other:
        assert await read_whole(other, "a.txt") == SMALL


async def test_another_bucket_is_refused(catalogue: DatabaseCatalogue, url: str, bucket: str, tmp_path: Path) -> None:
    await catalogue.put("a.txt", blocks(SMALL))
    with pytest.raises(SourceError, match=f"are at {bucket}, not at file://{tmp_path}$"):
        await _init(url, f"file://{tmp_path}")
    assert await read_whole(catalogue, "a.txt") == SMALL


async def test_a_database_that_holds_bytes_keeps_holding_them(url: str, bucket: str) -> None:
    await _init(url)
    with pytest.raises(SourceError, match="stores the bytes of its files itself"):
        await _init(url, bucket)


async def test_a_catalogue_without_tables_is_looked_at_again(url: str, bucket: str) -> None:
    async with aclosing(open_catalogue(url)) as catalogue:
        with pytest.raises(SourceError, match="has no tables"):
            await catalogue.files()
        await _init(url, bucket)
        assert await catalogue.files() == []
        await catalogue.put("a.txt", blocks(SMALL))
    async with aclosing(open_catalogue(url)) as other:
        assert await read_whole(other, "a.txt") == SMALL


async def test_a_bucket_that_cannot_be_reached_gets_no_tables(url: str, folder: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no folder .*missing: create it"):
        await _init(url, f"file://{folder}/missing")
    async with aclosing(open_catalogue(url)) as catalogue:
        with pytest.raises(SourceError, match="has no tables"):
            await catalogue.files()


async def test_an_init_that_was_interrupted_can_be_repeated(
    catalogue: DatabaseCatalogue, path: Path, url: str, bucket: str
) -> None:
    assert await catalogue.files() == []
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("delete from ad_bucket")
    async with aclosing(open_catalogue(url)) as other:
        with pytest.raises(SourceError, match="has no tables"):
            await other.files()
        await _init(url, bucket)
        assert await other.files() == []


@pytest.mark.parametrize("blobs", ["memory://", "memory://x", "http://host/x", "file://x", "files", "s3://"])
def test_a_url_that_cannot_keep_bytes_is_refused(url: str, blobs: str) -> None:
    with pytest.raises(ValueError, match="expected s3://bucket/prefix"):
        open_catalogue(url, blobs=blobs)


async def test_a_bucket_that_needs_a_missing_package_is_an_error_of_the_source(
    catalogue: DatabaseCatalogue, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("async_downloads.sources.object_urls.find_spec", lambda _: None)
    async with aclosing(open_catalogue(url)) as other:
        with pytest.raises(SourceError, match="with pip, pipx or uv"):
            await other.files()


async def test_two_catalogues_share_a_bucket(catalogue: DatabaseCatalogue, tmp_path: Path, bucket: str) -> None:
    await catalogue.put("a.txt", blocks(SMALL))
    async with aclosing(open_catalogue(f"sqlite:///{tmp_path}/other.db", blobs=bucket)) as other:
        await other.init()
        await other.put("a.txt", blocks(SMALL[::-1]))
        await other.gc(-60)
        assert await read_whole(other, "a.txt") == SMALL[::-1]
    await catalogue.gc(-60)
    assert await read_whole(catalogue, "a.txt") == SMALL
