"""What is held of an unfinished file, beside it: written to a temporary name, then renamed.

    {"v": 1, "boot": "…", "url": "…", "etag": "\"x\"", "lm": null, "strong": "\"x\"",
     "total": 9, "done": [[0, 5]], "flushed": [[0, 3]]}

`url` is a hash, and `strong` what If-Range takes. `done` is in the file, which a killed process does not change; a
machine that lost its power may have lost it, so after another `boot` only what was `flushed` to the disk counts.
Whatever is odd about a journal, there is none, and the download begins again.
"""

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from ...semantics.dates import format_date, parse_date
from ...semantics.etags import ETag
from ...semantics.representation import Validators
from ..decisions.spans import NOTHING, Spans
from ..decisions.version import RemoteVersion

__all__ = ["SUFFIX", "Journal", "Record", "boot_id", "decode", "encode", "strong", "unfinished"]


SUFFIX: Final = ".part.json"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_KEYS: Final = {"v", "boot", "url", "etag", "lm", "strong", "total", "done", "flushed"}
_LARGEST: Final = 4 * 1024 * 1024  # bytes; no download has that many gaps


@dataclass(frozen=True, slots=True)
class Record:
    """What a journal says: bytes of which version are `held`, and of them `flushed` to the disk."""

    version: RemoteVersion
    held: Spans
    flushed: Spans = NOTHING

    def reopened(self) -> "Record":
        """Return it with something to ask for: of what is whole, the last byte.

        The answer tells whether the server still has this version, and what its digest is.
        """
        total = self.version.total
        if total is None or any(self.held.missing(total)):
            return self
        return Record(self.version, self.held.until(total - 1), self.flushed.until(total - 1))


@cache
def boot_id() -> str | None:
    """Return what changes with every start of the machine; None where the system does not tell."""
    try:
        return _BOOT.read_text("ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def encode(record: Record, *, url: str, boot: str | None) -> str:
    """Write a record; `url` is the hash of one."""
    validators = record.version.validators
    return json.dumps(
        {
            "v": 1,
            "boot": boot,
            "url": url,
            "etag": str(validators.etag) if validators.etag else None,
            "lm": None if validators.last_modified is None else format_date(validators.last_modified),
            "strong": record.version.if_range,
            "total": record.version.total,
            "done": record.held.spans,
            "flushed": record.flushed.spans,
        }
    )


def decode(text: str, *, url: str, boot: str | None) -> Record | None:
    """Read what `encode` wrote for this URL; None for anything else, a byte after the end of the file included."""
    with suppress(ValueError, TypeError, RecursionError):
        data = json.loads(text)
        if isinstance(data, dict) and set(data) == _KEYS and (data["v"], data["url"]) == (1, url):
            return _record(data, trusted=boot is not None and data["boot"] == boot)
    return None


def _record(data: Mapping[str, object], *, trusted: bool) -> Record | None:
    version, flushed = _version(data), _spans(data["flushed"])
    held = _spans(data["done"]) if trusted else flushed
    if version is None or (version.total is not None and held.end > version.total):
        return None
    return Record(version, held, flushed)


def _version(data: Mapping[str, object]) -> RemoteVersion | None:
    etag, modified, if_range, total = (data[key] for key in ("etag", "lm", "strong", "total"))
    validators = Validators(
        ETag.parse(etag) if isinstance(etag, str) else None,
        parse_date(modified, now=0) if isinstance(modified, str) else None,
    )
    whole = total is None or (type(total) is int and total >= 0)
    if not whole or if_range is None or if_range != strong(validators):
        return None
    return RemoteVersion(total, validators, if_range)  # type: ignore[arg-type]  # both were looked at


def strong(validators: Validators) -> str | None:
    """Return what must have been the strong validator, if there can have been one."""
    if validators.etag:
        return None if validators.etag.weak else str(validators.etag)
    return None if validators.last_modified is None else format_date(validators.last_modified)


def _spans(value: object) -> Spans:
    if not isinstance(value, list) or not all(type(at) is int for span in value for at in span):
        raise ValueError("not a list of spans")
    return Spans.of((start, stop) for start, stop in value)


class Journal:
    """The journal of one file, for one URL, whose hash it is given. Every method waits for the disk."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self._temporary = path.with_name(f"{path.name}.tmp")
        self._url = url

    def check(self) -> None:
        """OSError when there could not be one: its name is longer than that of the file."""
        with suppress(FileNotFoundError):
            self._temporary.lstat()

    def load(self) -> Record | None:
        """Read it; None when there is none that can be used, or it is somebody else's."""
        try:
            with open(self.path, encoding="utf-8", opener=_open) as file:
                text = file.read(_LARGEST) if _is_ours(file.fileno()) else ""
        except (OSError, UnicodeDecodeError):
            return None
        return decode(text, url=self._url, boot=boot_id())

    def save(self, record: Record) -> None:
        """Replace it. OSError when it cannot be written; the one before is then still there."""
        try:
            with open(self._temporary, "w", encoding="utf-8", opener=_open) as file:
                file.write(encode(record, url=self._url, boot=boot_id()))
            self._temporary.replace(self.path)
        except OSError:
            with suppress(OSError):
                self._temporary.unlink()
            raise

    def remove(self) -> bool:
        """Have none; return whether there was one."""
        with suppress(OSError):  # it may be a folder of somebody's
            self._temporary.unlink()
        try:
            self.path.unlink()
        except (FileNotFoundError, IsADirectoryError):
            return False
        return True


def _open(path: str, flags: int) -> int:
    """Open without following a link, and without waiting: a pipe may be in the way."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o600)


def _is_ours(fd: int) -> bool:
    status = os.fstat(fd)
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()


def unfinished(directory: Path, url: str) -> Path | None:
    """Return which file of a folder was begun to be fetched from the URL, whose hash is given, and is not whole."""
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        if Journal(path, url).load():
            return path.with_name(path.name.removesuffix(SUFFIX))
    return None
