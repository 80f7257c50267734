"""What happens to the objects of a catalogue: which ones are read, checked, deleted and left alone."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Final

import pytest
from harness.waiting import HANGING, eventually

from async_downloads.errors import AlreadyThere, SourceChanged, SourceError, SourceTruncated
from async_downloads.sources.database import blob_catalogue, blob_tables
from async_downloads.sources.database.catalogue import Catalogue, Corruption, StoredFile
from async_downloads.sources.database.database_catalogue import DatabaseCatalogue
from async_downloads.sources.database.sqlite_sql import SqliteSql
from async_downloads.sources.database.urls import open_catalogue
from async_downloads.sources.object_storage.blobs import Blobs
from sources.contract import read, read_whole
from sources.database.blobs.bench import fail_after_gc, run_until_killed
from sources.database.uploads import LARGE, SMALL, Fresh, Upload, blocks, checked

_OLD: Final = 1_000_000_000  # a moment in 2001
# A process that is killed when its object is complete and its row is not.
_KILLED: Final = """
import asyncio, sys
from async_downloads.sources.database import blob_tables
from async_downloads.sources.database.urls import open_catalogue

async def once():
    yield b"x" * 1000

async def hang(*_, **options):
    print("ready", flush=True)
    sys.stdin.read()

blob_tables.publish = hang
asyncio.run(open_catalogue(sys.argv[1]).put("half", once()))
"""


def objects(folder: Path) -> list[Path]:
    """Return the files of all objects."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def only(folder: Path) -> Path:
    """Return the file of the only object."""
    [path] = objects(folder)
    return path


async def _damage(catalogue: Catalogue) -> list[str]:
    async with aclosing(catalogue.check()) as found:
        return [f"{each.file.name}: {each.message}" async for each in found if isinstance(each, Corruption)]


async def test_a_missing_object_is_damage_that_names_the_file_and_the_object(
    catalogue: DatabaseCatalogue, folder: Path
) -> None:
    await catalogue.put("docs/a.txt", blocks(SMALL))
    path = only(folder)
    path.unlink()
    source = await catalogue.open("docs/a.txt")
    with pytest.raises(SourceChanged, match=rf"{path.name} of 'a\.txt' is missing"):
        await read(source, 0, 1)
    [damage] = await _damage(catalogue)
    assert damage == f"docs/a.txt: the object {path.relative_to(folder)} of 'a.txt' is missing"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(LARGE[:-1], "bytes, not", id="shorter"),
        pytest.param(b"", "too short", id="empty"),
        pytest.param(LARGE + b"x", "bytes, not", id="longer"),
        pytest.param(b"x" + LARGE[1:], "not those that were stored", id="other bytes"),
    ],
)
async def test_an_object_with_other_bytes_is_damage(
    catalogue: DatabaseCatalogue, folder: Path, data: bytes, problem: str
) -> None:
    await catalogue.put("a.bin", blocks(LARGE))
    only(folder).write_bytes(data)
    [damage] = await _damage(catalogue)
    assert problem in damage


async def test_a_shorter_object_is_noticed_before_a_wrong_byte_is_sent(
    catalogue: DatabaseCatalogue, folder: Path
) -> None:
    await catalogue.put("a.bin", blocks(LARGE))
    only(folder).write_bytes(LARGE[: len(LARGE) // 2])
    with pytest.raises(SourceTruncated):
        await read(await catalogue.open("a.bin"), 0, 10)


async def test_a_bucket_that_cannot_be_reached_is_no_damage(
    catalogue: DatabaseCatalogue, fresh: Fresh, folder: Path
) -> None:
    await catalogue.put("a.txt", blocks(SMALL))
    folder.rename(folder.with_name("moved"))
    with pytest.raises(SourceError) as raised:
        await _damage(fresh())
    assert not isinstance(raised.value, SourceChanged | SourceTruncated)


async def test_a_replaced_object_stays_until_the_grace_is_over(catalogue: DatabaseCatalogue, folder: Path) -> None:
    await catalogue.put("a.txt", blocks(SMALL))
    old = only(folder)
    await catalogue.put("a.txt", blocks(SMALL[::-1]), replace=True)
    assert await catalogue.gc(3600) == 0
    assert old.read_bytes() == SMALL
    assert await catalogue.gc(0) == len(SMALL)
    assert not old.exists()
    assert only(folder).read_bytes() == SMALL[::-1]


async def test_gc_deletes_only_old_objects_of_its_own_catalogue(
    catalogue: DatabaseCatalogue, bucket: str, folder: Path
) -> None:
    await catalogue.put("a.txt", blocks(SMALL))
    own = only(folder)
    orphan, young = own.with_name("0" * 32), own.with_name("1" * 32)
    others = [
        own.with_name("0" * 31),
        own.with_name("0" * 32 + ".txt"),
        own.with_name("A" * 32),
        own.parent / "more" / ("0" * 32),
        own.parent.with_name("2" * 32) / ("0" * 32),
        folder / ("0" * 32),
        folder / "photo.jpg",
    ]
    for path in (orphan, young, *others):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"12345")
    for path in (orphan, own, *others):
        os.utime(path, (_OLD, _OLD))
    assert await catalogue.gc(3600) == 5
    assert objects(folder) == sorted([own, young, *others])
    assert await checked(catalogue) == ["a.txt"]


async def test_gc_finds_all_orphans_of_many(catalogue: DatabaseCatalogue, folder: Path) -> None:
    await catalogue.put("a.txt", blocks(SMALL))
    own = only(folder)
    for number in range(1200):
        own.with_name(f"{number:032x}").write_bytes(b"x")
    assert await catalogue.gc(-60) == 1200
    assert only(folder) == own


async def test_gc_needs_one_connection_to_the_bucket(catalogue: DatabaseCatalogue, url: str, folder: Path) -> None:
    await catalogue.put("a.txt", blocks(SMALL))
    orphan = only(folder).with_name("0" * 32)
    orphan.write_bytes(b"12345")
    async with aclosing(open_catalogue(url, connections=1)) as narrow:
        assert await narrow.gc(-60) == 5
    assert not orphan.exists()


async def test_gc_finds_the_object_of_a_process_that_was_killed(
    catalogue: DatabaseCatalogue, url: str, folder: Path
) -> None:
    await run_until_killed(_KILLED, url)
    assert only(folder).stat().st_size == 1000
    assert await catalogue.files() == []
    assert await catalogue.gc(3600) == 0
    assert objects(folder)
    await catalogue.gc(-60)
    assert objects(folder) == []


async def test_an_upload_whose_name_was_taken_meanwhile_leaves_no_object(
    catalogue: DatabaseCatalogue, fresh: Fresh, folder: Path
) -> None:
    upload = Upload(LARGE)
    putting = asyncio.create_task(catalogue.put("a.bin", upload.blocks()))
    await upload.halfway.wait()
    await fresh().put("a.bin", blocks(SMALL))
    upload.go_on.set()
    with pytest.raises(AlreadyThere):
        await putting
    assert only(folder).read_bytes() == SMALL


async def test_an_upload_that_gc_took_for_abandoned_fails_and_leaves_no_object(
    catalogue: DatabaseCatalogue, folder: Path
) -> None:
    await fail_after_gc(catalogue, LARGE)
    assert objects(folder) == []


async def test_an_object_that_was_published_after_all_is_not_discarded(
    catalogue: DatabaseCatalogue, path: Path
) -> None:
    await catalogue.put("a.txt", blocks(SMALL))
    async with aclosing(SqliteSql(str(path), patience=HANGING)) as sql:
        assert not await sql.write(lambda transaction: blob_tables.discard(transaction, blob_tables.BlobRow(1, "")))
        assert await sql.write(lambda transaction: blob_tables.discard(transaction, blob_tables.BlobRow(2, "")))
    assert await checked(catalogue) == ["a.txt"]


async def test_a_running_upload_gives_signs_of_life(
    catalogue: DatabaseCatalogue, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blob_catalogue, "_KEEP_SECONDS", 0.01)
    upload = Upload(LARGE)
    putting = asyncio.create_task(catalogue.put("a.bin", upload.blocks()))
    await upload.halfway.wait()
    with closing(sqlite3.connect(path)) as connection:
        statement = "select changed from ad_object"
        [[begun]] = connection.execute(statement)
        await eventually(lambda: connection.execute(statement).fetchone()[0] > begun)
    upload.go_on.set()
    assert isinstance(await putting, StoredFile)


async def test_a_source_that_fails_has_the_last_word(catalogue: DatabaseCatalogue) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"x"
        raise FileNotFoundError("of the reader")

    with pytest.raises(FileNotFoundError, match="of the reader"):
        await catalogue.put("a.bin", failing())


async def test_a_large_upload_has_several_parts(catalogue: DatabaseCatalogue) -> None:
    data = LARGE * 12  # 36 MiB: three parts
    await catalogue.put("a.bin", blocks(data, 1024 * 1024))
    assert await read_whole(catalogue, "a.bin") == data


async def test_an_object_that_is_not_there_is_deleted_already(bucket: str, folder: Path) -> None:
    async with aclosing(Blobs(bucket, "0")) as blobs:
        await blobs.put("a", blocks(SMALL), "text/plain")
        await blobs.delete(["a", "b"])
    assert objects(folder) == []
