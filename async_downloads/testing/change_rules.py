"""The rules of a store whose contents change."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from ..errors import NotFound
from ..sources.base import Source, Store
from .reading import opened, read_while, read_whole
from .rules import require

__all__ = ["CHANGE_RULES", "Changing", "Put", "Remove"]

Put = Callable[[str, bytes], Awaitable[object]]
Remove = Callable[[str], Awaitable[object]]
_SIZE: Final = 3 * 1024 * 1024  # several chunks of any source
_SMALL: Final = b"The quick brown fox"


@dataclass(frozen=True, slots=True)
class Changing:
    """A key of a store, and the functions that change its content."""

    store: Store
    key: str
    put: Put
    remove: Remove

    def open(self) -> AbstractAsyncContextManager[Source]:
        """Open the key for the time of a block."""
        return opened(self.store, self.key)


async def _reads_no_byte_of_a_replacement(changing: Changing) -> None:
    """A source whose key gets new bytes continues with the old ones, or raises SourceChanged or SourceTruncated."""
    old = Random(1).randbytes(_SIZE)
    for size in (_SIZE, 10, _SIZE + 10):
        await changing.put(changing.key, old)
        async with changing.open() as source:
            received = await read_while(source, partial(changing.put, changing.key, Random(2).randbytes(size)))
        _is_of_one_version(received, old, f"after {size} new bytes replaced {_SIZE}")


async def _reads_on_after_a_removal(changing: Changing) -> None:
    """A source whose key is removed continues, or raises SourceChanged or SourceTruncated."""
    old = Random(1).randbytes(_SIZE)
    await changing.put(changing.key, old)
    async with changing.open() as source:
        received = await read_while(source, partial(changing.remove, changing.key))
    _is_of_one_version(received, old, "after the removal")


def _is_of_one_version(received: tuple[bytes, bool], old: bytes, when: str) -> None:
    data, ended = received
    require(old.startswith(data), f"{when} it yields bytes that the source did not describe")
    require(len(data) == len(old) or not ended, f"{when} it ends after {len(data)} bytes without an error")


async def _opens_the_new_version(changing: Changing) -> None:
    """`open` sees a change at once."""
    for content in (_SMALL, b"new"):
        await changing.put(changing.key, content)
        require(
            await read_whole(changing.store, changing.key) == content,
            "it opens the old version of a key that has new bytes",
        )
    await changing.remove(changing.key)
    try:
        await (await changing.store.open(changing.key)).aclose()
    except NotFound:
        return
    raise AssertionError("it opens a key that was removed")


async def _has_an_etag_for_each_version(changing: Changing) -> None:
    """Each version has its own strong ETag, even if it has the size of another version."""
    tags = []
    for content in (_SMALL, _SMALL[::-1]):
        await changing.put(changing.key, content)
        async with changing.open() as source:
            tags.append(source.representation.validators.etag)
    await changing.remove(changing.key)
    old, new = tags
    if old is None or new is None:
        raise AssertionError("a version has no ETag, so no client can resume a download of it")
    require(not old.weak and not new.weak, "an ETag is weak, so no client can resume a download")
    require(old.opaque != new.opaque, f"two versions have the ETag {old}")


CHANGE_RULES: Final = (
    _reads_no_byte_of_a_replacement,
    _reads_on_after_a_removal,
    _opens_the_new_version,
    _has_an_etag_for_each_version,
)
