"""The part of the contract of catalogues about names, identifiers and listings."""

import unicodedata
from random import Random
from typing import Final, get_args

import pytest

from async_downloads.errors import IsDirectory, NotFound
from async_downloads.sources.base import Entry
from async_downloads.sources.database.catalogue import ById, Catalogue, Identifier
from sources.contract import read_whole
from sources.database.uploads import SMALL, blocks, content_of

__all__ = ["NamingContract"]

ABSENT_IDS: Final = [
    pytest.param(text, id=name)
    for name, text in {
        "nothing": "",
        "none yet": "2",
        "zero": "0",
        "leading zero": "01",
        "plus": "+1",
        "minus": "-1",
        "space before": " 1",
        "space behind": "1 ",
        "line break": "1\n",
        "underscore": "1_0",
        "decimal": "1.0",
        "exponent": "1e0",
        "hexadecimal": "0x1",
        "full width": "\uff11",
        "superscript": "\u00b9",
        "Arabic digit": "\u0661",
        "NUL": "1\0",
        "surrogate": "\udcff",
        "word": "one",
        "32 bits and one": str(2**32 + 1),
        "63 bits": str(2**63 - 1),
        "64 bits": str(2**63),
        "64 bits and one": str(2**64 + 1),
        "many digits": "9" * 5000,
    }.items()
]
BAD_NAMES: Final = [
    pytest.param(name, id=ascii(name)[1:20])
    for name in ("", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a\\b", "a\0", "a\nb", "\ud800", "x" * 1025)
] + [
    pytest.param(f"a{mark}b", id=f"U+{ord(mark):04X}")
    for mark in ("\x9b", "\u200f", "\u202e", "\u2028", "\u2066", "\ufeff")
]
GOOD_NAMES: Final = {
    "one character": "a",
    "space": "a b",
    "umlauts": "ä/ö/ü.bin",
    "ideographs": "文件.txt",
    "ideographic space": "\u5831\u544a\u3000\u66f8.pdf",
    "no-break space of macOS": "10.00\u202fAM\u00a0.png",
    "joined emoji": "\U0001f468\u200d\U0001f4bb",
    "Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "beyond 16 bits": "\U0001f600.txt",
    "pattern": "100%_*.txt",
    "statement": "'; drop table file; --",
    "quote": '"',
    "longest": "x" * 1024,
    "most bytes": "".join(map(chr, Random(4).sample(range(0x4E00, 0x9F00), 1024))),
    "deep": "/".join(["d"] * 512),
    "dots": "...",
    "hidden": "a..b/.c",
    "device": "con",
    "drive": "a:b",
    "query": "?a=b&c#d",
    "integer": "1",
}


class NamingContract:
    """Names, identifiers and listings."""

    @pytest.mark.parametrize("name", [pytest.param(name, id=label) for label, name in GOOD_NAMES.items()])
    async def test_a_valid_name_can_be_used(self, catalogue: Catalogue, name: str) -> None:
        assert (await catalogue.put(name, blocks(SMALL))).name == name
        assert await read_whole(catalogue, name) == SMALL
        assert [file.name for file in await catalogue.files()] == [name]

    @pytest.mark.parametrize("name", BAD_NAMES)
    async def test_an_invalid_name_is_rejected(self, catalogue: Catalogue, name: str) -> None:
        with pytest.raises(ValueError, match="name"):
            await catalogue.put(name, blocks(SMALL))
        for refused in (catalogue.open, catalogue.remove):
            with pytest.raises(NotFound):
                await refused(name)
        assert await catalogue.files() == []

    async def test_names_that_look_alike_are_different(self, catalogue: Catalogue) -> None:
        names = ["é", unicodedata.normalize("NFD", "é"), "É", "e"]
        for name in names:
            await catalogue.put(name, blocks(name.encode()))
        assert [await read_whole(catalogue, name) for name in names] == [name.encode() for name in names]

    @pytest.mark.parametrize("name", ["a%", "a_c", "%", "_", "a%/b", "A*", "abc%"])
    async def test_a_name_is_not_used_as_a_pattern(self, catalogue: Catalogue, name: str) -> None:
        await catalogue.put("abc/def", blocks(SMALL))
        with pytest.raises(NotFound) as raised:
            await catalogue.open(name)
        assert not isinstance(raised.value, IsDirectory)
        with pytest.raises(NotFound):
            await catalogue.list(name)

    async def test_the_segments_before_the_last_are_directories(self, catalogue: Catalogue) -> None:
        await catalogue.put("abc/def/ghi", blocks(SMALL))
        for key in ("", "abc", "abc/def"):
            with pytest.raises(IsDirectory):
                await catalogue.open(key)
        with pytest.raises(NotFound) as raised:
            await catalogue.open("ab")
        assert not isinstance(raised.value, IsDirectory)

    async def test_directories_are_listed_before_files(self, catalogue: Catalogue) -> None:
        assert (await catalogue.list("")).entries == ()
        names = ["b/2", "b/1/x", "b/1/y", "a", "z/q", "b0", "b-", "b.c"]
        files = {name: await catalogue.put(name, blocks(name.encode())) for name in names}
        top, below = await catalogue.list(""), await catalogue.list("b")
        assert [entry.name for entry in top.entries] == ["b", "z", "a", "b-", "b.c", "b0"]
        assert below.entries == (
            Entry("1", is_directory=True),
            Entry("2", is_directory=False, size=3, modified=files["b/2"].created, digest=files["b/2"].sha256),
        )

    async def test_files_are_in_the_order_of_names(self, catalogue: Catalogue) -> None:
        put = {name: await catalogue.put(name, blocks(name.encode())) for name in ("b", "a/c", "é", "a", "Z")}
        assert await catalogue.files() == [put[name] for name in sorted(put)]
        assert await catalogue.files(2) == [put["Z"], put["a"]]

    @pytest.mark.parametrize("identifier", get_args(Identifier))
    async def test_a_file_is_found_by_its_identifier(self, catalogue: Catalogue, identifier: Identifier) -> None:
        await catalogue.put("other", blocks(b"other"))
        public = (await catalogue.put("a.txt", blocks(SMALL))).public(identifier)
        assert await content_of(await catalogue.open_id(public, identifier)) == SMALL
        assert await read_whole(ById(catalogue, identifier), public) == SMALL

    async def test_a_token_cannot_be_guessed(self, catalogue: Catalogue) -> None:
        token = (await catalogue.put("a.txt", blocks(SMALL))).token
        assert len(token) >= 22
        assert not token.startswith("-"), "a command would take it for an option"

    @pytest.mark.parametrize("public", ABSENT_IDS)
    async def test_an_invalid_identifier_is_not_found(self, catalogue: Catalogue, public: str) -> None:
        file = await catalogue.put("a.txt", blocks(SMALL))
        with pytest.raises(NotFound):
            await catalogue.open_id(public if public != "2" else str(file.id + 1), "integer")
        with pytest.raises(NotFound):
            await catalogue.open_id(public, "token")

    async def test_a_token_is_compared_exactly(self, catalogue: Catalogue) -> None:
        token = (await catalogue.put("a.txt", blocks(SMALL))).token
        for other in (token.swapcase(), f"{token} ", f"{token}\0", token[:-1], f"{token}=", "%", "_" * len(token)):
            with pytest.raises(NotFound):
                await catalogue.open_id(other, "token")

    async def test_identifiers_of_the_other_kind_are_not_found(self, catalogue: Catalogue) -> None:
        file = await catalogue.put("a.txt", blocks(SMALL))
        with pytest.raises(NotFound):
            await catalogue.open_id(file.token, "integer")
        with pytest.raises(NotFound):
            await catalogue.open_id(str(file.id), "token")
