"""Downloads over httpx that resume, run in parallel ranges, and cannot be corrupted."""

from ..errors import FetchError
from .body import Body
from .downloader import Downloader, download
from .reporter import Progress, Result, SegmentProgress

__all__ = ["Body", "Downloader", "FetchError", "Progress", "Result", "SegmentProgress", "download"]
