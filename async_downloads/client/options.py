"""The keyword arguments of the entry points, so that a type checker finds a misspelt one."""

from collections.abc import Sequence
from os import PathLike
from typing import TypedDict

import httpx

from .copies import FailureListener
from .http.network import NetworkOptions
from .reporter import ProgressListener

__all__ = ["DownloadOptions", "DownloaderOptions", "FetchOptions"]


class DownloaderOptions(TypedDict, total=False):
    """The keyword arguments of `Downloader`."""

    connections: int
    retries: float
    patience: float
    timeout: float | None
    response_timeout: float
    stall_timeout: float
    speed_floor: int
    limit_rate: int | None
    headers: Sequence[tuple[str, str]]
    insecure_redirects: bool
    strict: bool
    network: NetworkOptions
    client: httpx.AsyncClient | None


class FetchOptions(TypedDict, total=False):
    """The keyword arguments of `Downloader.fetch`."""

    directory: str | PathLike[str] | None
    checksum: str | None
    overwrite: bool | None
    resume: bool
    continues: bool
    timestamping: bool
    dated: bool
    mirrors: Sequence[str]
    on_mirror_failure: FailureListener | None
    on_progress: ProgressListener | None


class DownloadOptions(DownloaderOptions, FetchOptions, total=False):
    """The keyword arguments of `download`."""
