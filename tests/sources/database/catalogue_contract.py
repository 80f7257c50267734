"""The contract of catalogues (`async_downloads/sources/database/catalogue.py`), as tests to inherit.

The test module of a database defines four fixtures and inherits all tests. Each test has a database of its own:

    class TestMyCatalogue(CatalogueContract):
        @pytest.fixture
        async def url(self) -> str: ...                     # for another process
        @pytest.fixture
        async def catalogue(self, …) -> AsyncIterator[Catalogue]: ...  # initialised, empty; closed afterwards
        @pytest.fixture
        async def fresh(self, …) -> AsyncIterator[Callable[[], Catalogue]]: ...  # opens the database again,
                                                            # initialised or not; closed afterwards
        @pytest.fixture
        async def bare(self, …) -> AsyncIterator[Catalogue]: ...  # without tables; closed afterwards
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import pytest

from async_downloads.errors import DownloadError, NotFound, SourceError
from async_downloads.sources.database.catalogue import Catalogue, StoredFile
from sources.contract import read_whole
from sources.database.catalogue_naming import NamingContract
from sources.database.catalogue_reading import ReadingContract
from sources.database.catalogue_uploading import UploadingContract
from sources.database.catalogue_writing import WritingContract
from sources.database.uploads import LARGE, SMALL, Fresh, blocks, checked

__all__ = ["CatalogueContract"]


class CatalogueContract(ReadingContract, NamingContract, WritingContract, UploadingContract):
    """The whole contract of a catalogue; the tests here are about tables, checks and closing."""

    async def test_two_catalogues_of_a_database_see_the_same_files(self, catalogue: Catalogue, fresh: Fresh) -> None:
        await catalogue.put("a.txt", blocks(SMALL))
        other = fresh()
        assert await read_whole(other, "a.txt") == SMALL
        assert await other.files() == await catalogue.files()
        await other.remove("a.txt")
        with pytest.raises(NotFound):
            await catalogue.open("a.txt")

    async def test_a_second_init_changes_nothing(self, catalogue: Catalogue, fresh: Fresh) -> None:
        file = await catalogue.put("a.txt", blocks(SMALL))
        await catalogue.init()
        await fresh().init()
        assert await fresh().files() == [file]
        assert await checked(catalogue) == ["a.txt"]

    @pytest.mark.parametrize(
        "use",
        [
            pytest.param(lambda bare: bare.open("a.txt"), id="open"),
            pytest.param(lambda bare: bare.open_id("1", "integer"), id="open by integer"),
            pytest.param(lambda bare: bare.open_id("x", "token"), id="open by token"),
            pytest.param(lambda bare: bare.list(""), id="list"),
            pytest.param(lambda bare: bare.files(), id="files"),
            pytest.param(lambda bare: bare.put("a.txt", blocks(SMALL)), id="put"),
            pytest.param(lambda bare: bare.remove("a.txt"), id="remove"),
            pytest.param(lambda bare: bare.gc(0), id="gc"),
            pytest.param(lambda bare: _all(bare.check()), id="check"),
        ],
    )
    async def test_without_tables_the_error_says_what_to_do(
        self, bare: Catalogue, use: Callable[[Catalogue], Awaitable[object]]
    ) -> None:
        with pytest.raises(SourceError, match=r"\A.*has no tables.*async-downloads db init --database .*\Z") as raised:
            await use(bare)
        assert type(raised.value) is SourceError

    async def test_a_catalogue_works_after_a_late_init(self, bare: Catalogue) -> None:
        with pytest.raises(DownloadError):
            await bare.files()
        await bare.init()
        await bare.put("a.txt", blocks(SMALL))
        assert await checked(bare) == ["a.txt"]

    async def test_a_check_of_no_files_finds_nothing(self, catalogue: Catalogue) -> None:
        assert await checked(catalogue) == []

    async def test_a_check_reads_every_file(self, catalogue: Catalogue) -> None:
        for name, data in {"b": LARGE, "a": SMALL, "empty": b""}.items():
            await catalogue.put(name, blocks(data))
        assert await checked(catalogue) == ["a", "b", "empty"]

    async def test_a_file_removed_during_a_check_is_no_corruption(self, catalogue: Catalogue) -> None:
        for name in "abc":
            await catalogue.put(name, blocks(LARGE))
        async with aclosing(catalogue.check()) as found:
            files = [await anext(found)]
            await catalogue.remove("b")
            await catalogue.put("c", blocks(SMALL), replace=True)
            await catalogue.gc(0)
            files += [file async for file in found]
        assert all(isinstance(file, StoredFile) for file in files)

    async def test_a_second_aclose_does_nothing(self, catalogue: Catalogue, fresh: Fresh) -> None:
        await catalogue.put("a.txt", blocks(SMALL))
        await catalogue.aclose()
        await catalogue.aclose()
        assert await read_whole(fresh(), "a.txt") == SMALL

    async def test_an_unused_catalogue_can_be_closed(self, fresh: Fresh) -> None:
        await fresh().aclose()


async def _all(found: AsyncGenerator[object, None]) -> list[object]:
    async with aclosing(found):
        return [each async for each in found]
