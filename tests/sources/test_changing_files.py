"""Files that change between their opening and the first byte, and files that another program holds."""

import asyncio
import fcntl
import gzip
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.asgi import Exchange, ask
from harness.changes import append, cut, overwrite, overwrite_with_more
from harness.sources import OneStore, SlicedSource
from harness.waiting import HANGING

from async_downloads import recent_paths
from async_downloads.asgi import Downloads
from async_downloads.errors import SourceBusy, SourceError
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation
from async_downloads.sources.base import Source
from async_downloads.sources.directory import DirectoryStore
from sources.test_files import open_source


class ChangingStore:
    """A store of one file that a program changes after each opening."""

    def __init__(self, path: Path, change: Callable[[Path], object]) -> None:
        self._path = path
        self._change = change

    async def open(self, key: str, *, codings: object = ()) -> Source:
        """Open the file; then change it."""
        source = open_source(self._path)
        self._change(self._path)
        return source


async def get(store: ChangingStore, wanted: str | None) -> Exchange:
    return await ask(Downloads(store), "/large", fields=[("Range", wanted)] if wanted else [])


@pytest.mark.parametrize(
    "wanted", [None, "bytes=-100", "bytes=-100000", "bytes=0-", "bytes=5-70000", "bytes=0-9,90-99"]
)
@pytest.mark.parametrize("change", [append, overwrite, overwrite_with_more, cut])
async def test_a_file_that_changed_before_the_first_byte_is_described_again(
    large: Path, change: Callable[[Path], None], wanted: str | None
) -> None:
    response = await get(ChangingStore(large, change), wanted)
    content = large.read_bytes()
    assert response.status == (206 if wanted else 200)
    assert len(response.body) == int(response.fields["content-length"])
    if wanted is None:
        assert response.body == content
    elif wanted == "bytes=-100":
        assert response.body == content[-100:]
        assert response.fields["content-range"] == f"bytes {len(content) - 100}-{len(content) - 1}/{len(content)}"


async def test_the_new_description_has_the_new_validators(large: Path) -> None:
    response = await get(ChangingStore(large, append), None)
    again = await ask(Downloads(DirectoryStore(large.parent)), f"/{large.name}")
    assert [response.fields[name] for name in ("etag", "last-modified")] == [
        again.fields[name] for name in ("etag", "last-modified")
    ]


async def test_a_log_that_grows_during_the_download_keeps_its_promised_length(large: Path, content: bytes) -> None:
    source = open_source(large)
    append(large)
    await source.refresh()
    append(large)
    size = source.representation.size
    assert size == len(content) + 4
    received = b"".join([chunk async for chunk in source.read(ByteRange(0, size))])
    assert received == content + b"more"
    await source.aclose()


async def test_a_small_log_is_described_again_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "small.log"
    path.write_bytes(b"first line\n")
    source = open_source(path)
    append(path)
    assert source.read_small(64 * 1024) == b"first line\nmore"
    assert source.representation.size == len(b"first line\nmore")
    await source.aclose()


async def test_a_file_that_is_emptied_after_its_opening_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "small.log"
    path.write_bytes(b"first line\n")
    source = open_source(path)
    os.truncate(path, 0)
    assert await asyncio.to_thread(source.read_small, 64 * 1024) is None
    assert source.representation.size == 0
    await source.aclose()


async def test_a_source_that_fails_at_its_first_byte_is_a_bad_gateway() -> None:
    for size in (100, 1_000_000):
        source = SlicedSource(bytes(size), until=0, error=SourceError("EIO"))
        response = await ask(Downloads(OneStore(source)), "/a")
        assert (response.status, response.body) == (502, b"502 Bad Gateway\n")
        assert source.closed


@pytest.mark.parametrize("size", [100, 1_000_000])
async def test_a_file_that_cannot_be_read_is_a_bad_gateway(tmp_path: Path, size: int) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b.bin").write_bytes(bytes(size))
    source = open_source(tmp_path / "b.bin")
    directory = os.open(tmp_path / "a", os.O_RDONLY)
    os.dup2(directory, source._file.fd)  # reading a directory fails with EISDIR, on every file system
    os.close(directory)
    response = await ask(Downloads(OneStore(source)), "/b.bin")
    assert response.status == 502


async def test_a_head_request_reads_nothing() -> None:
    source = SlicedSource(b"", until=0, error=SourceError("EIO"), representation=Representation(5))
    assert (await ask(Downloads(OneStore(source)), "/a", method="HEAD")).status == 200


@pytest.fixture
def leased(tmp_path: Path) -> Iterator[tuple[Path, list[int]]]:
    """Return a file, and the descriptor with a lease on it that is given up as soon as the kernel asks for it."""
    path, held = tmp_path / "leased.bin", list[int]()
    path.write_bytes(b"content")
    before = signal.signal(signal.SIGIO, lambda *_: [fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK) for fd in held])
    yield path, held
    for fd in held:
        os.close(fd)
    signal.signal(signal.SIGIO, before)


def lease(path: Path) -> int:
    fd = os.open(path, os.O_RDWR)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    return fd


@pytest.mark.parametrize("is_recent", [False, True])
async def test_a_file_with_a_lease_is_sent_when_the_lease_is_given_up(
    leased: tuple[Path, list[int]], is_recent: bool
) -> None:
    path, held = leased
    store = DirectoryStore(path.parent)
    if is_recent:
        await (await store.open(path.name)).aclose()
        path.write_bytes(b"other")
    held.append(lease(path))
    response = await ask(Downloads(store), f"/{path.name}")
    assert (response.status, response.body) == (200, path.read_bytes())


async def test_a_file_whose_lease_is_kept_is_busy(
    leased: tuple[Path, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = leased
    monkeypatch.setattr(recent_paths, "_LEASE_SECONDS", 0.1)
    fd = lease(path)
    try:
        with pytest.raises(SourceBusy):
            await DirectoryStore(path.parent).open(path.name)
        response = await ask(Downloads(DirectoryStore(path.parent)), f"/{path.name}")
        assert (response.status, response.fields["retry-after"]) == (503, "1")
    finally:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        os.close(fd)


async def test_a_precompressed_file_whose_lease_is_kept_is_left_out(leased: tuple[Path, list[int]]) -> None:
    path, _ = leased
    coded = path.with_name(f"{path.name}.gz")
    coded.write_bytes(gzip.compress(path.read_bytes()))
    os.utime(coded, ns=(path.stat().st_mtime_ns,) * 2)
    app = Downloads(DirectoryStore(path.parent))
    fd = lease(coded)
    try:
        for _ in range(2):
            response = await ask(app, f"/{path.name}", fields=[("Accept-Encoding", "gzip")])
            assert (response.status, response.body) == (200, b"content")
    finally:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        os.close(fd)
    app = Downloads(DirectoryStore(path.parent))
    response = await ask(app, f"/{path.name}", fields=[("Accept-Encoding", "gzip")])
    assert response.fields["content-encoding"] == "gzip"


async def test_a_lease_that_is_kept_delays_no_other_file(
    leased: tuple[Path, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, held = leased
    monkeypatch.setattr(recent_paths, "_LEASE_SECONDS", HANGING)
    (path.parent / "other.txt").write_bytes(b"other")
    store, fd = DirectoryStore(path.parent), lease(path)
    waiting = [asyncio.create_task(store.open(path.name)) for _ in range(20)]  # more than there are threads
    await asyncio.sleep(0)
    other = await store.open("other.txt")
    assert not [task for task in waiting if task.done()]
    held.append(fd)
    os.kill(os.getpid(), signal.SIGIO)
    for source in (other, *await asyncio.gather(*waiting)):
        await source.aclose()
