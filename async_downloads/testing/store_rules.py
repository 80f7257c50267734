"""The rules of a store."""

import asyncio
from typing import Final

from ..errors import IsDirectory, NotFound
from ..sources.base import Source, Store
from .keys import Contents, directories_of, longest, missing_keys, unknown_keys
from .reading import opened, read, read_whole
from .rules import ContractError, check, require
from .source_rules import cancelled_read, check_source

__all__ = ["STORE_RULES", "check_sources"]

_OPENED_TOGETHER: Final = 20
_STEPS: Final = range(6)


async def check_sources(store: Store, contents: Contents, seconds: float) -> None:
    """Check the source of each key; each rule has a number of seconds. Raises ContractError, which names the key."""
    for key, content in contents.items():
        sources: list[Source] = []
        await check(_opens_a_source, store, key, sources, seconds=seconds)
        try:
            await check_source(sources.pop(), content, seconds_per_rule=seconds)
        except ContractError as error:
            raise ContractError(error.rule, f"in the source of {key!r} {error.fact}") from error


async def _opens_a_source(store: Store, key: str, sources: list[Source]) -> None:
    """`open` returns a source."""
    sources.append(await store.open(key))


async def _describes_a_key_again(store: Store, contents: Contents) -> None:
    """As long as the bytes of a key are the same, each source of it has the same description."""
    for key in contents:
        async with opened(store, key) as first, opened(store, key) as second:
            require(first.representation == second.representation, f"the descriptions of {key!r} differ")


async def _opens_independent_sources(store: Store, contents: Contents) -> None:
    """Several sources of one key can be open and be read at the same time."""
    key = longest(contents)
    for content in await asyncio.gather(*(read_whole(store, key) for _ in range(_OPENED_TOGETHER))):
        require(content == contents[key], f"one of {_OPENED_TOGETHER} sources of {key!r} gave other bytes")


async def _closes_sources_one_by_one(store: Store, contents: Contents) -> None:
    """Closing a source, again and again, does not affect another source of the key."""
    key = longest(contents)
    async with opened(store, key) as other:
        source = await store.open(key)
        for _ in range(3):
            await source.aclose()
        found = await read(other, 0, len(contents[key]))
    require(found == contents[key], f"the other source of {key!r} gave other bytes")


async def _closes_while_a_read_is_cancelled(store: Store, contents: Contents) -> None:
    """A source can be closed while a read of it is cancelled."""
    key = longest(contents)
    for steps in _STEPS:
        source = await store.open(key)
        reading = await cancelled_read(source, len(contents[key]), steps)
        await asyncio.gather(asyncio.gather(reading, return_exceptions=True), source.aclose())
        require(await read_whole(store, key) == contents[key], f"a new source of {key!r} gives other bytes")


async def _does_not_find_an_unknown_key(store: Store, contents: Contents) -> None:
    """`open` raises NotFound, and not IsDirectory, for an unknown key."""
    for key in unknown_keys(contents):
        require(await _raised_by_open(store, key) is NotFound, f"it does not for {key!r}")


async def _opens_no_other_spelling(store: Store, contents: Contents) -> None:
    """`open` raises NotFound or IsDirectory for a key that only resembles one that the store has."""
    for description, key in missing_keys(contents).items():
        require(await _raised_by_open(store, key) is not None, f"it does not for {description}: {key!r}")


async def _says_what_is_a_directory(store: Store, contents: Contents) -> None:
    """`open` raises IsDirectory for a key if longer keys begin with this key and a slash."""
    for key in directories_of(contents):
        require(await _raised_by_open(store, key) is IsDirectory, f"it does not for {key!r}")


async def _raised_by_open(store: Store, key: str) -> type[NotFound] | None:
    try:
        source = await store.open(key)
    except NotFound as error:
        return type(error)
    await source.aclose()
    return None


async def _opens_without_a_coding(store: Store, contents: Contents) -> None:
    """`open` ignores the codings that it does not have."""
    for key, content in contents.items():
        found = await read_whole(store, key, codings=("unheard-of",))
        require(found == content, f"with an unknown coding, {key!r} has other bytes")


STORE_RULES: Final = (
    _describes_a_key_again,
    _opens_independent_sources,
    _closes_sources_one_by_one,
    _closes_while_a_read_is_cancelled,
    _does_not_find_an_unknown_key,
    _opens_no_other_spelling,
    _says_what_is_a_directory,
    _opens_without_a_coding,
)
