"""Objects of S3, Google Cloud Storage and Azure, of stores that speak like them, of memory, or of a folder."""

from .s3_signing import S3Signer
from .store import ObjectStore

__all__ = ["ObjectStore", "S3Signer"]
