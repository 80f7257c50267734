"""The rules of a store whose keys can be listed."""

from typing import Final

from ..errors import NotFound
from ..sources.base import Browsable, Entry
from .keys import Contents, directories_of, missing_keys
from .rules import require

__all__ = ["LISTING_RULES"]


async def _lists_each_directory(store: Browsable, contents: Contents) -> None:
    """`list` returns the entries directly below a key: directories first, then files, each sorted by name."""
    for directory in ("", *directories_of(contents)):
        listing = await store.list(directory)
        require(not listing.truncated, f"the listing of {directory!r} is truncated")
        found = [(entry.name, entry.is_directory) for entry in listing.entries]
        wanted = _entries_of(contents, directory)
        require(found == wanted, f"in {directory!r} it lists {_shown(found)} instead of {_shown(wanted)}")


def _entries_of(contents: Contents, directory: str) -> list[tuple[str, bool]]:
    prefix = f"{directory}/" if directory else ""
    below = [key.removeprefix(prefix) for key in contents if key.startswith(prefix)]
    entries = {(key.partition("/")[0], "/" in key) for key in below}
    return sorted(entries, key=lambda entry: (not entry[1], entry[0]))


def _shown(entries: list[tuple[str, bool]]) -> str:
    return ", ".join(f"{name}/" if is_directory else name for name, is_directory in entries) or "nothing"


async def _lists_the_sizes(store: Browsable, contents: Contents) -> None:
    """The size of an entry is that of its content, or None if it is unknown; a directory has no size."""
    for directory in ("", *directories_of(contents)):
        for entry in (await store.list(directory)).entries:
            key = f"{directory}/{entry.name}".lstrip("/")
            require(entry.size in _sizes_of(entry, contents, key), f"the entry of {key!r} has the size {entry.size}")


def _sizes_of(entry: Entry, contents: Contents, key: str) -> tuple[int | None, ...]:
    return (None,) if entry.is_directory else (None, len(contents[key]))


async def _lists_directories_only(store: Browsable, contents: Contents) -> None:
    """`list` raises NotFound for a key that is no directory."""
    missing = missing_keys(contents) | {f"the file {key}": key for key in contents}
    for description, key in missing.items():
        require(key == "" or await _is_refused(store, key), f"it does not for {description}: {key!r}")


async def _is_refused(store: Browsable, key: str) -> bool:
    try:
        await store.list(key)
    except NotFound:
        return True
    return False


LISTING_RULES: Final = (_lists_each_directory, _lists_the_sizes, _lists_directories_only)
