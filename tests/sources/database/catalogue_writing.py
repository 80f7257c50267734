"""The part of the contract of catalogues about putting, replacing, removing and freeing."""

import hashlib

import pytest

from async_downloads.errors import AlreadyThere, NotFound
from async_downloads.sources.database.catalogue import Catalogue, Identifier
from sources.contract import read_whole
from sources.database.uploads import LARGE, SMALL, blocks, checked

__all__ = ["WritingContract"]


class WritingContract:
    """Putting, replacing, removing and freeing."""

    async def test_a_taken_name_is_rejected(self, catalogue: Catalogue) -> None:
        file = await catalogue.put("a.txt", blocks(SMALL))
        with pytest.raises(AlreadyThere):
            await catalogue.put("a.txt", blocks(b"another"))
        assert await catalogue.files() == [file]
        assert await read_whole(catalogue, "a.txt") == SMALL

    async def test_replacing_keeps_the_identifiers_and_nothing_else(self, catalogue: Catalogue) -> None:
        before = await catalogue.put("a.txt", blocks(SMALL))
        after = await catalogue.put("a.txt", blocks(LARGE), replace=True, media_type="image/png")
        assert (after.id, after.token, after.name) == (before.id, before.token, before.name)
        assert after.version != before.version
        assert (after.size, after.media_type, after.sha256) == (len(LARGE), "image/png", hashlib.sha256(LARGE).digest())
        assert await catalogue.files() == [after]

    async def test_replace_also_creates_a_new_file(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.txt", blocks(SMALL), replace=True)
        assert await read_whole(catalogue, "a.txt") == SMALL

    async def test_the_etag_depends_on_the_bytes_only(self, catalogue: Catalogue) -> None:
        tags = []
        for data in (SMALL, SMALL[::-1], SMALL):
            await catalogue.put("a.txt", blocks(data), replace=True)
            tags.append((await catalogue.open("a.txt")).representation.validators.etag)
        assert tags[0] == tags[2] != tags[1]

    async def test_a_removed_file_is_not_found(self, catalogue: Catalogue) -> None:
        file = await catalogue.put("a.txt", blocks(SMALL))
        await catalogue.remove("a.txt")
        for opening in (catalogue.open("a.txt"), catalogue.open_id(file.token, "token"), catalogue.remove("a.txt")):
            with pytest.raises(NotFound):
                await opening
        with pytest.raises(NotFound):
            await catalogue.open_id(str(file.id), "integer")
        assert await catalogue.files() == []

    @pytest.mark.parametrize("identifier", ["token", "integer"])
    async def test_removing_by_identifier_leaves_a_new_file_of_the_same_name(
        self, catalogue: Catalogue, identifier: Identifier
    ) -> None:
        old = await catalogue.put("a.txt", blocks(SMALL))
        await catalogue.remove("a.txt")
        new = await catalogue.put("a.txt", blocks(SMALL))
        with pytest.raises(NotFound):
            await catalogue.remove_id(old.public(identifier), identifier)
        assert await catalogue.files() == [new]
        await catalogue.remove_id(new.public(identifier), identifier)
        assert await catalogue.files() == []

    async def test_an_identifier_that_no_file_can_have_is_not_found(self, catalogue: Catalogue) -> None:
        with pytest.raises(NotFound):
            await catalogue.remove_id("x", "integer")

    async def test_identifiers_are_never_given_twice(self, catalogue: Catalogue) -> None:
        first = await catalogue.put("a.txt", blocks(SMALL))
        await catalogue.remove("a.txt")
        await catalogue.gc(0)
        second = await catalogue.put("a.txt", blocks(SMALL))
        assert first.id != second.id
        assert first.token != second.token
        assert first.version != second.version

    async def test_gc_frees_only_versions_retired_before_the_grace(self, catalogue: Catalogue) -> None:
        for data in (LARGE, SMALL):
            await catalogue.put("a.txt", blocks(data), replace=True)
        await catalogue.put("b.txt", blocks(b"b"))
        await catalogue.remove("b.txt")
        assert await catalogue.gc(3600) == 0
        assert await catalogue.gc(0) == len(LARGE) + 1
        assert await catalogue.gc(0) == 0
        assert await checked(catalogue) == ["a.txt"]
