"""The journal beside a part file: it says which bytes the part holds. It is written to a temporary file, then renamed.

    {"v": 1, "boot": "…", "url": "…", "etag": "\"x\"", "lm": null, "strong": "\"x\"",
     "total": 9, "done": [[0, 5]], "flushed": [[0, 3]], "unsigned": "…"}

`url` is a hash of the URL, and `unsigned` a hash of the URL without its signature. `strong` is the value for If-Range,
or for If-Unmodified-Since if the ETag is weak. `"html": true` is added for an HTML page. The spans in `done` were
written to the file. They survive the end of the process, but a power loss may lose them: if the machine has started
again since then (another `boot`), only the spans in `flushed` count. If anything else in a journal is unexpected, the
journal is ignored, and the download starts over.
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

from ...open_file import OPEN_SAFELY
from ...semantics.dates import format_date, parse_date
from ...semantics.etags import ETag
from ...semantics.representation import Validators
from ..decisions.spans import NOTHING, Spans
from ..decisions.version import RemoteVersion

__all__ = [
    "SUFFIX", "Journal", "Record", "boot_id", "decode", "encode", "read_validators", "read_version", "unfinished",
    "version_fields",
]  # fmt: skip


SUFFIX: Final = ".part.json"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_KEYS: Final = {"v", "boot", "url", "etag", "lm", "strong", "total", "done", "flushed"}
_MAX_BYTES: Final = 4 * 1024 * 1024  # no journal of a download is longer
_MAX_SPANS: Final = 1000  # only the largest spans count: each gap costs a request, so smaller spans are fetched again


@dataclass(frozen=True, slots=True)
class Record:
    """The content of a journal: the bytes of one version that are `held`, and those that were `flushed` to the disk."""

    version: RemoteVersion
    held: Spans
    flushed: Spans = NOTHING

    def reopened(self) -> "Record":
        """Return the record. If the file is complete, leave out its last byte, so that one request is sent.

        The response says whether the server still has this version, and may have its digest.
        """
        total = self.version.total
        if total is None or any(self.held.missing(total)):
            return self
        return Record(self.version, self.held.until(total - 1), self.flushed.until(total - 1))


@cache
def boot_id() -> str | None:
    """Return an identifier that changes with every start of the machine; None if the system has none."""
    try:
        return _BOOT_ID.read_text("ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def encode(record: Record, *, url: str, boot: str | None, unsigned: str = "") -> str:
    """Return the JSON text of a record; `url` and `unsigned` are hashes of the URL."""
    spans = {"total": record.version.total, "done": record.held.spans, "flushed": record.flushed.spans}
    version, html = version_fields(record.version), {"html": True} if record.version.is_html else {}
    return json.dumps({"v": 1, "boot": boot, "url": url, **version, **spans, "unsigned": unsigned, **html})


def version_fields(version: RemoteVersion) -> dict[str, str | None]:
    """Return the fields of a version, for a journal or for the provenance of a file."""
    etag, modified = version.validators.etag, version.validators.last_modified
    return {
        "etag": str(etag) if etag else None,
        "lm": None if modified is None else format_date(modified),
        "strong": version.if_range or version.unmodified_since,
    }


def read_validators(etag: object, modified: object) -> Validators:
    """Return the validators from these fields. A value of another type counts as missing."""
    return Validators(
        ETag.parse(etag) if isinstance(etag, str) else None,
        parse_date(modified, now=0) if isinstance(modified, str) else None,
    )


def decode(
    text: str, *, url: str, boot: str | None, unsigned: str | None = None, any_url: bool = False
) -> Record | None:
    """Return the record that `encode` wrote for this URL; None for any other text, or if a span exceeds the total.

    A record of the same `unsigned` URL with a strong ETag is returned too, because only the signature was renewed. With
    `any_url`, the record of any URL is returned.
    """
    with suppress(ValueError, TypeError, RecursionError):
        data = _fields(text)
        if data and (any_url or data["url"] == url or (unsigned and _is_renewed(data, unsigned))):
            return _record(data, trusted=boot is not None and data["boot"] == boot)
    return None


def _fields(text: str) -> dict[str, object]:
    """Return the fields of a journal; {} for other JSON. Raises ValueError or RecursionError if it is no JSON."""
    data = json.loads(text)
    return data if isinstance(data, dict) and set(data) - {"unsigned", "html"} == _KEYS and data["v"] == 1 else {}


def _is_renewed(data: Mapping[str, object], unsigned: str) -> bool:
    """Return whether the journal is of the same URL with another signature. A date would not prove that."""
    return data.get("unsigned") == unsigned and data["strong"] is not None and data["strong"] == data["etag"]


def _record(data: Mapping[str, object], *, trusted: bool) -> Record | None:
    version, flushed = _version(data), _spans(data["flushed"])
    held = _spans(data["done"]) if trusted else flushed
    if version is None or (version.total is not None and held.end > version.total):
        return None
    return Record(version, held, flushed)


def _version(data: Mapping[str, object]) -> RemoteVersion | None:
    etag, modified, strong, total = (data[key] for key in ("etag", "lm", "strong", "total"))
    if not (total is None or (type(total) is int and total >= 0)):
        return None
    version = read_version(total, read_validators(etag, modified), strong, is_html=data.get("html") is True)
    return version if version.resumable else None


def read_version(total: int | None, validators: Validators, strong: object, *, is_html: bool = False) -> RemoteVersion:
    """Return the version with these validators. `strong` is the value for If-Range or If-Unmodified-Since.

    A value of `strong` that does not fit the validators is ignored.
    """
    if strong is None or strong != _strong_validator(validators):
        return RemoteVersion(total, validators, is_html=is_html)
    if_range = None if validators.etag and validators.etag.weak else str(strong)
    old_date = None if if_range else str(strong)
    return RemoteVersion(total, validators, if_range, old_date=old_date, is_html=is_html)


def _strong_validator(validators: Validators) -> str | None:
    """Return the only value that `strong` can have with these validators: RFC 9110 §13.1.5 and §13.1.4."""
    if validators.etag and not validators.etag.weak:
        return str(validators.etag)
    return None if validators.last_modified is None else format_date(validators.last_modified)


def _spans(value: object) -> Spans:
    if not isinstance(value, list) or not all(type(at) is int for span in value for at in span):
        raise ValueError("not a list of spans")
    spans = [(start, stop) for start, stop in value]
    if len(spans) > _MAX_SPANS:
        spans = sorted(spans, key=lambda span: span[1] - span[0])[-_MAX_SPANS:]
    return Spans.of(spans)


class Journal:
    """The journal of one part file. Its owner is the PartFile, which holds the lock. Reading needs no lock.

    `url` and `unsigned` are hashes of the URL. Every method blocks on the disk, so callers run it in a thread.
    """

    def __init__(self, path: Path, url: str, unsigned: str = "") -> None:
        self.path = path
        self._temporary = path.with_name(f"{path.name}.tmp")
        self._url = url
        self._unsigned = unsigned

    def check_name_length(self) -> None:
        """Raise OSError if the file system does not allow a name of this length."""
        with suppress(FileNotFoundError):
            self._temporary.lstat()

    def load(self, *, renewed: bool = False, any_url: bool = False) -> Record | None:
        """Return the record; None if there is no journal, or if it is damaged, of another URL, or of another user.

        With `renewed`, the URL may have another signature. With `any_url`, it may be any URL.
        """
        unsigned = self._unsigned if renewed else None
        return decode(self._text(), url=self._url, boot=boot_id(), unsigned=unsigned, any_url=any_url)

    def is_of_package(self) -> bool:
        """Return whether there is a journal of this package, for any URL."""
        with suppress(ValueError, RecursionError):
            return bool(_fields(self._text()))
        return False

    def _text(self) -> str:
        try:
            with open(self.path, encoding="utf-8", opener=_open) as file:
                return file.read(_MAX_BYTES) if _is_ours(file.fileno()) else ""
        except (OSError, UnicodeDecodeError):
            return ""

    def save(self, record: Record) -> None:
        """Replace the journal. Raises OSError if it cannot be written; the old journal then stays."""
        try:
            with open(self._temporary, "w", encoding="utf-8", opener=_open) as file:
                file.write(encode(record, url=self._url, boot=boot_id(), unsigned=self._unsigned))
            self._temporary.replace(self.path)
        except OSError:
            with suppress(OSError):
                self._temporary.unlink()
            raise

    def remove(self) -> bool:
        """Delete the journal. Return whether there was one."""
        with suppress(OSError):  # another program may have a directory of this name
            self._temporary.unlink()
        try:
            self.path.unlink()
        except (FileNotFoundError, IsADirectoryError):
            return False
        return True


def _open(path: str, flags: int) -> int:
    """Open without following a symbolic link, and without blocking on a pipe of the same name."""
    return os.open(path, flags | os.O_NOFOLLOW | OPEN_SAFELY, 0o600)


def _is_ours(fd: int) -> bool:
    status = os.fstat(fd)
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()


def unfinished(directory: Path, url: str, unsigned: str = "", *, renewed: bool = False) -> Path | None:
    """Return the path of an unfinished download in a directory; None if there is none.

    `url` and `unsigned` are hashes of its URL. With `renewed`, the URL may have another signature.
    """
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        if Journal(path, url, unsigned).load(renewed=renewed):
            return path.with_name(path.name.removesuffix(SUFFIX))
    return None
