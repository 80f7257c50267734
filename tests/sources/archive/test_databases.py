"""Archives of files in a database."""

from collections.abc import AsyncIterator

import pytest
from tools.databases import database, opened, postgres, sqlite

from async_downloads.errors import SourceChanged
from async_downloads.sources.archive import checksums
from async_downloads.sources.archive.walk import archive_of
from async_downloads.sources.database.catalogue import Catalogue
from sources.archive.unpacking import unpacked, whole
from sources.contract import CONTENTS, read
from sources.database.uploads import blocks

__all__ = ["database", "postgres", "sqlite"]  # fixtures


@pytest.fixture
async def filled(database: str) -> AsyncIterator[Catalogue]:
    """A database with the contents, as names with slashes."""
    async with opened(database) as catalogue:
        for name, data in CONTENTS.items():
            await catalogue.put(name, blocks(data))
        yield catalogue


async def test_the_archive_holds_the_files_of_a_folder_and_of_those_below_it(filled: Catalogue) -> None:
    archive = await archive_of(filled, "docs", "docs")
    below = {name: data for name, data in CONTENTS.items() if name.startswith("docs/")}
    assert unpacked(await whole(archive)) == below
    everything = await archive_of(filled, "", "all", "tar")
    assert unpacked(await whole(everything), "tar") == {f"all/{name}": data for name, data in CONTENTS.items()}


async def test_any_range_is_the_slice_of_the_whole(filled: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    data = await whole(await archive_of(filled, "", "all"))
    for start, stop in [(0, 1), (70, 400_000), (1_000_000, 3_000_000), (len(data) - 300, len(data))]:
        monkeypatch.setattr(checksums, "_memory", checksums._ChecksumMemory())
        assert await read(await archive_of(filled, "", "all"), start, stop) == data[start:stop]


async def test_the_etag_is_strong_and_changes_with_a_file(filled: Catalogue) -> None:
    tags = []
    for data in (b"one", b"one", b"two"):
        await filled.put("a.txt", blocks(data), replace=True)
        archive = await archive_of(filled, "", "all", selection=["a.txt"])
        tags.append(archive.representation.validators.etag)
    assert tags[0]
    assert not tags[0].weak
    assert tags[1] != tags[2]


async def test_a_file_that_was_replaced_ends_the_archive_with_an_error(filled: Catalogue) -> None:
    archive = await archive_of(filled, "", "all")
    await filled.put("docs/b.bin", blocks(b"new"), replace=True)
    with pytest.raises(SourceChanged, match=r"'all/docs/b\.bin' is not the version"):
        await whole(archive)
