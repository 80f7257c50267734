"""Downloads over httpx that resume, use several connections, and never store wrong bytes."""

from ..errors import FetchError
from .downloader import Downloader, download
from .http.network import NetworkOptions
from .reporter import Progress, Result, SegmentProgress
from .response_stream import ResponseStream

__all__ = [
    "Downloader",
    "FetchError",
    "NetworkOptions",
    "Progress",
    "ResponseStream",
    "Result",
    "SegmentProgress",
    "download",
]
