"""`async-downloads serve s3://…`: the objects of a real S3 server over HTTP."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import httpx
import obstore
import pytest
from tools.command import Command, finished, serving

from async_downloads.sources.object_storage.connecting import store_at

_DATA = Random(5).randbytes(3 * 1024 * 1024)


@pytest.fixture
async def command(s3_url: str) -> AsyncIterator[Command]:
    """A server of a bucket with some objects."""
    upstream = store_at(s3_url)
    objects = {"a.txt": b"hello", "docs/b.bin": _DATA, "docs/README.md": b"# About\n"}
    await asyncio.gather(*(obstore.put_async(upstream, key, data) for key, data in objects.items()))
    async with serving(s3_url) as command:
        yield command


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_objects_ranges_pages_and_archives(command: Command, tmp_path: Path) -> None:
    whole = command.get("/docs/b.bin")
    assert (whole.content, whole.headers["accept-ranges"]) == (_DATA, "bytes")
    assert [entry["name"] for entry in command.get("/docs/?json").json()["entries"]] == ["b.bin", "README.md"]
    assert "About" in httpx.get(f"{command.url}/docs/", headers={"Accept": "text/html"}).text
    assert command.get("/docs/?zip").content.startswith(b"PK")
    assert [command.get(path).status_code for path in ("/nothing", "/docs")] == [404, 301]
    assert finished("get", "-x4", f"{command.url}/docs/b.bin", "-o", str(tmp_path / "b")).returncode == 0
    assert _digest(tmp_path / "b") == hashlib.sha256(_DATA).hexdigest()
