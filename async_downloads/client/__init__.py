"""Downloads over httpx that resume, run in parallel ranges, and cannot be corrupted."""

from .body import Body
from .downloader import Downloader, download
from .events import Progress, Result, Segment

__all__ = ["Body", "Downloader", "Progress", "Result", "Segment", "download"]
