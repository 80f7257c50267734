"""Objects of S3, Google Cloud Storage and Azure, of stores that speak like them, of memory, or of a folder."""

from .store import ObjectStore

__all__ = ["ObjectStore"]
