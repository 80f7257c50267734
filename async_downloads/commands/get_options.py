"""The options of `get`, read and checked."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from .redaction import HARMLESS, public_url

__all__ = ["STDOUT", "GetOptions", "UrlItem"]


STDOUT: Final = Path("-")


@dataclass(frozen=True, slots=True)
class UrlItem:
    """One file or folder to download, and its position in the command; `alternates` are further URLs of the same file.

    It is saved as `path`, or in `directory` if `path` is None. With `makes_folders`, missing folders are made. With
    `is_listed`, a document of a server chose the name, so the download replaces no existing file.
    """

    index: int
    url: str = field(repr=False)
    path: Path | None = None
    directory: Path = Path()
    checksum: str | None = None
    alternates: tuple[str, ...] = field(default=(), repr=False)
    makes_folders: bool = False
    is_listed: bool = False

    @property
    def public(self) -> str:
        """The URL without user, password, query (which may be a signature) and fragment."""
        return public_url(self.url) or (self.url if HARMLESS.fullmatch(self.url) else f"URL {self.index + 1}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOptions:
    """The options by their names: times in seconds, `limit_rate` in bytes per second."""

    items: tuple[UrlItem, ...] = field(repr=False)
    directory: Path | None
    checksums: str | None = field(repr=False)
    metalink: str | None = field(repr=False)
    recursive: bool
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    keep_directories: bool
    connections: int
    retries: float
    patience: float
    timeout: float | None
    response_timeout: float
    stall_timeout: float
    speed_floor: int
    limit_rate: int | None
    header: tuple[tuple[str, str], ...] = field(repr=False)
    network: dict[str, Any] = field(repr=False)  # the fields of `NetworkOptions`
    insecure_redirects: bool
    strict: bool
    jobs: int
    overwrite: bool
    resume: bool
    continues: bool
    timestamping: bool
    dated: bool
    as_json: bool
    quiet: bool

    @property
    def to_stdout(self) -> bool:
        """Whether the one file is written to standard output."""
        return any(item.path == STDOUT for item in self.items)
