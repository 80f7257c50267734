"""The options of `get`, read and checked."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["STDOUT", "GetOptions"]


STDOUT: Final = Path("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOptions:
    """The options by their names: times in seconds, `limit_rate` in bytes per second."""

    urls: tuple[str, ...] = field(repr=False)
    output: Path | None
    directory: Path
    connections: int
    checksum: str | None
    retries: int
    timeout: float | None
    stall_timeout: float
    limit_rate: int | None
    header: tuple[tuple[str, str], ...] = field(repr=False)
    insecure_redirects: bool
    jobs: int
    overwrite: bool
    resume: bool
    as_json: bool
    quiet: bool
