"""Pages that are drawn once for all requests that wait, kept for some time, and not drawn if the clients have left."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Hashable
from pathlib import Path

import pytest
from harness.asgi import Exchange, ask, scope
from harness.clock import Clock
from harness.sources import OneStore, SlicedSource
from harness.waiting import eventually

from async_downloads.asgi import Downloads
from async_downloads.errors import SourceError
from async_downloads.site.pages import Pages, page
from async_downloads.site.tree import Tree
from async_downloads.sources.base import Listing
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.memory import MemorySource


class _Folder:
    """Data with a version; each drawing waits until the test lets it end."""

    def __init__(self, size: int = 10) -> None:
        self.version: Hashable = 1
        self.draws = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self._size = size

    async def draw(self) -> Callable[[], MemorySource]:
        """Count the drawing."""
        self.draws += 1
        await self.may_end.wait()
        return lambda: page(b"x" * self._size, "text/plain")

    async def current(self) -> Hashable:
        """Return the version."""
        return self.version


async def test_requests_at_the_same_time_share_one_drawing() -> None:
    pages, folder = Pages(), _Folder()
    folder.may_end.clear()
    waiting = [asyncio.create_task(pages.get("key", folder.draw)) for _ in range(5)]
    await eventually(lambda: folder.draws)
    folder.may_end.set()
    assert len({id(found) for found in await asyncio.gather(*waiting)}) == 1
    assert folder.draws == 1


async def test_a_page_is_kept_until_the_version_changes() -> None:
    pages, folder = Pages(), _Folder()
    first = await pages.get("key", folder.draw, folder.current)
    assert await pages.get("key", folder.draw, folder.current) is first
    assert await pages.get("other", folder.draw, folder.current) is not first
    folder.version = 2
    assert await pages.get("key", folder.draw, folder.current) is not first
    assert folder.draws == 3


@pytest.mark.parametrize("version", [None, "unknown"])
async def test_without_a_version_no_page_is_kept(version: str | None) -> None:
    pages, folder = Pages(), _Folder()
    folder.version = None
    for _ in range(2):
        await pages.get("key", folder.draw, folder.current if version else None)
    assert folder.draws == 2


async def test_an_old_page_is_drawn_again(clock: Clock) -> None:
    pages, folder = Pages(), _Folder()
    await pages.get("key", folder.draw, folder.current)
    clock.forward(61)
    await pages.get("key", folder.draw, folder.current)
    assert folder.draws == 2


async def test_kept_pages_are_bounded_in_bytes() -> None:
    pages, folder = Pages(), _Folder(12 * 1024 * 1024)
    for key in "abcb":
        await pages.get(key, folder.draw, folder.current)
    assert folder.draws == 3
    await pages.get("a", folder.draw, folder.current)
    assert folder.draws == 4
    huge = _Folder(33 * 1024 * 1024)
    for _ in range(2):
        await pages.get("huge", huge.draw, huge.current)
    assert huge.draws == 2


async def test_an_error_reaches_all_who_wait_and_is_not_kept() -> None:
    class _Broken(_Folder):
        async def draw(self) -> Callable[[], MemorySource]:
            self.draws += 1
            await self.may_end.wait()
            raise SourceError("broken")

    pages, folder = Pages(), _Broken()
    for draws in (1, 2):
        results = await asyncio.gather(*(pages.get("key", folder.draw) for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in results] == [SourceError] * 3
        assert folder.draws == draws


async def test_a_drawing_ends_when_the_last_who_waits_has_left() -> None:
    pages, folder = Pages(), _Folder()
    folder.may_end.clear()
    waiting = [asyncio.create_task(pages.get("key", folder.draw)) for _ in range(2)]
    await eventually(lambda: folder.draws)
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    assert not waiting[1].done()
    waiting[1].cancel()
    await asyncio.wait(waiting)
    folder.may_end.set()
    await pages.get("key", folder.draw)
    assert folder.draws == 2


class _SlowStore(OneStore):
    """A store whose listings never end."""

    def __init__(self) -> None:
        super().__init__(SlicedSource(b"data"))

    async def list(self, key: str) -> Listing:
        """Wait for ever."""
        await asyncio.Event().wait()
        return Listing(())


async def test_a_client_that_leaves_gets_no_listing() -> None:
    store = _SlowStore()
    tree, exchange = Tree(Downloads(store)), Exchange(scope("/"))
    serving = asyncio.create_task(tree(exchange.scope, exchange.receive, exchange.send))
    exchange.left.set()
    await serving
    assert exchange.status == 503
    assert exchange.fields["retry-after"] == "1"


def _set_age(folder: Path, seconds: float) -> None:
    status = folder.stat()
    moment = status.st_mtime_ns - int(seconds * 1e9) - 1
    os.utime(folder, ns=(moment, moment))


async def test_a_folder_shows_its_number_of_entries_until_it_changes(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").touch()
    _set_age(folder, 60)
    tree = Tree(Downloads(DirectoryStore(tmp_path)))

    await ask(tree, "/folder/")
    assert b"1 item<" in (await ask(tree)).body
    os.utime(folder, (time.time() + 1, time.time() + 1))
    _set_age(tmp_path, 60)
    assert b" item" not in (await ask(tree)).body


async def test_the_version_of_a_folder_changes_with_its_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    store = DirectoryStore(tmp_path)
    with monkeypatch.context() as clock:
        clock.setattr(time, "time_ns", lambda: folder.stat().st_mtime_ns + 1)
        assert await store.list_version("folder") is None
    _set_age(folder, 60)
    before = await store.list_version("folder")
    assert before is not None
    assert await store.list_version("folder") == before
    (folder / "new").touch()
    _set_age(folder, 30)
    assert await store.list_version("folder") not in {None, before}


async def test_a_folder_is_listed_in_threads_that_open_no_files(tmp_path: Path) -> None:
    names: list[str] = []

    class _Store(DirectoryStore):
        def _list(self, key: str) -> Listing:
            names.append(threading.current_thread().name)
            return super()._list(key)

    await _Store(tmp_path).list("")
    assert names[0].startswith("listing")
