"""Objects of S3, Google Cloud Storage, Azure and compatible stores, of memory, or of a folder."""

from .s3_signing import S3Signer
from .store import ObjectStore

__all__ = ["ObjectStore", "S3Signer"]
