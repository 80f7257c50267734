"""The lists that `get` reads: `--checksums`, `--metalink`, and `--input-file`, whose lines are:

URL out=NAME dir=DIR checksum=ALGO:HEX     each of the three is optional; values with spaces need 'quotes'
URL                                        or, as in aria2, indented lines below the URL,
  out=NAME                                 with values that are not quoted
"""

import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..threads import in_thread
from .get_options import UrlItem
from .get_texts import read_host_path
from .messages import CannotRun
from .options import STDIN
from .redaction import is_url

__all__ = ["read_checksums", "read_items", "read_metalink"]


if TYPE_CHECKING:
    from ..client import Downloader
    from ..client.checksum_list import ChecksumList


_KEYS: Final = ("out", "dir", "checksum")


def read_items(path: Path, directory: Path) -> tuple[UrlItem, ...]:
    """Return the items of a list: a file, or `-` for standard input. They are saved in `directory` or below it."""
    name = "standard input" if path == STDIN else repr(str(path))
    items: list[UrlItem] = []
    for number, url, about in _entries(_lines(path, name)):
        if about.keys() - {*_KEYS}:
            expected = ", ".join(f"{key}=" for key in _KEYS)
            raise CannotRun(f"line {number} of {name}: after the URL, only {expected} can follow")
        items.append(_item(len(items), url, about, directory))
    return tuple(items)


def _lines(path: Path, name: str) -> list[str]:
    if path == STDIN and sys.__stdin__ is None:
        raise CannotRun("cannot read standard input: it is closed")
    try:
        with open(0 if path == STDIN else path, encoding="utf-8-sig", closefd=path != STDIN) as file:
            return file.read().splitlines()
    except OSError as error:
        raise CannotRun(f"cannot read {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CannotRun(f"cannot read {name}: it is not text in UTF-8") from error


def _entries(lines: Iterable[str]) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Yield line number, URL and `key=value` texts of each URL; empty lines and those that begin with # are skipped."""
    entry: tuple[int, str, dict[str, str]] | None = None
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if entry and line[0].isspace() and text.partition("=")[0] in _KEYS:
            entry[2].update([_pair(text)])
            continue
        if entry:
            yield entry
        url, *rest = text.split(maxsplit=1)
        entry = number, url, dict(map(_pair, _words(rest[0]) if rest else ()))
    if entry:
        yield entry


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quotation mark without a second one
        return text.split()


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


def _item(index: int, url: str, about: dict[str, str], directory: Path) -> UrlItem:
    folder = directory / about.get("dir", "")
    path = folder / about["out"] if about.get("out") else None
    return UrlItem(
        index=index,
        url=read_host_path(url),
        path=path,
        directory=folder,
        checksum=about.get("checksum") or None,
        makes_folders=bool(about.keys() & {"dir", "out"}),
    )


async def read_checksums(place: str, downloader: "Downloader") -> "ChecksumList":
    """Read the list of `--checksums`, a file or a URL. Raises FetchError or CannotRun."""
    from ..client.checksum_list import ChecksumList

    _, body = await _read(place, downloader)
    try:
        return ChecksumList.parse(body.decode(errors="surrogateescape"))
    except ValueError as error:
        raise CannotRun(f"--checksums: {error}") from None


async def read_metalink(place: str, directory: Path, downloader: "Downloader") -> tuple[UrlItem, ...]:
    """Read the files of `--metalink`, a file or a URL. Raises FetchError or CannotRun."""
    from ..client.metalink import parse_metalink

    url, body = await _read(place, downloader)
    try:
        files = parse_metalink(body, url)
    except ValueError as error:
        raise CannotRun(f"--metalink: {error}") from None
    return tuple(
        UrlItem(
            index=index,
            url=file.urls[0],
            path=directory / file.name,
            directory=directory,
            checksum=file.checksum,
            alternates=file.urls[1:],
            makes_folders=True,
            is_listed=True,
        )
        for index, file in enumerate(files)
    )


async def _read(place: str, downloader: "Downloader") -> tuple[str, bytes]:
    """Return the content of a file or of a URL, and the URL after redirects; "" for a file."""
    from ..client.document import read_document

    if is_url(place):
        document = await read_document(downloader, place)
        return document.url, document.body
    try:
        return "", await in_thread(Path(place).read_bytes)
    except OSError as error:
        raise CannotRun(f"cannot read {place!r}: {error.strerror}") from error
