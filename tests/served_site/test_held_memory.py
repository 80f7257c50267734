"""The memory of pages and archives that clients ask for, and do not read, is bounded for the whole process."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path

import pytest
from harness.asgi import Exchange, scope
from harness.waiting import HANGING, eventually

from async_downloads.asgi import Downloads
from async_downloads.errors import SourceBusy
from async_downloads.site import held_memory
from async_downloads.site.archives import WantedArchive
from async_downloads.site.held_memory import HeldMemory, MemoryLease
from async_downloads.site.pages import Pages, page
from async_downloads.site.tree import Tree
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.memory import MemorySource
from async_downloads.threads import ARCHIVE_THREADS, PREVIEW_THREADS


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> HeldMemory:
    """The memory of this process, with room for 5,000 bytes."""
    memory = HeldMemory()
    monkeypatch.setattr(HeldMemory, "MAX_BYTES", 5_000)
    monkeypatch.setattr(held_memory, "held_memory", memory)
    return memory


class _Owner:
    pass


def test_bytes_are_held_until_their_owner_is_gone(memory: HeldMemory) -> None:
    owner, lease = _Owner(), MemoryLease()
    lease.grow(4_000)
    lease.grow(2_000)
    lease.hold_for(owner)
    with pytest.raises(SourceBusy):
        MemoryLease().grow(1)
    del owner
    assert memory.bytes == 0
    MemoryLease().grow(1)


def test_one_holder_alone_may_go_beyond_the_limit(memory: HeldMemory) -> None:
    lease = MemoryLease()
    for _ in range(3):
        lease.grow(5_000)
    lease.release()
    lease.release()
    assert memory.bytes == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with ten files."""
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text("text")
    return tmp_path


async def test_archives_of_other_selections_are_refused_while_the_memory_is_full(
    folder: Path, memory: HeldMemory
) -> None:
    archives = Tree(Downloads(DirectoryStore(folder)))._archives
    held = await archives._make("", WantedArchive("zip", frozenset()))
    with pytest.raises(SourceBusy):
        await archives._make("", WantedArchive("zip", frozenset({"1.txt"})))
    del held
    await eventually(lambda: memory.bytes == 0)  # the thread that made the archive may forget it a moment later
    await archives._make("", WantedArchive("zip", frozenset({"1.txt"})))


async def test_a_refused_archive_is_a_503_that_says_when_to_try_again(folder: Path, memory: HeldMemory) -> None:
    memory.bytes = 6_000
    exchange = Exchange(scope("/?zip"))
    await Tree(Downloads(DirectoryStore(folder)))(exchange.scope, exchange.receive, exchange.send)
    assert (exchange.status, exchange.fields["retry-after"]) == (503, "5")


async def test_an_archive_that_cannot_be_made_holds_nothing(folder: Path, memory: HeldMemory) -> None:
    exchange = Exchange(scope("/?zip&name=unknown"))
    await Tree(Downloads(DirectoryStore(folder)))(exchange.scope, exchange.receive, exchange.send)
    assert (exchange.status, memory.bytes) == (404, 0)


async def test_pages_that_are_still_being_sent_are_counted(memory: HeldMemory) -> None:
    pages = Pages()

    async def draw() -> Callable[[], MemorySource]:
        return lambda: page(b"x" * 3_000, "text/plain")

    sent = [await pages.get(number, draw) for number in range(2)]
    with pytest.raises(SourceBusy):
        await pages.get(2, draw)
    sent.pop()
    await eventually(lambda: memory.bytes == 3_000)  # the thread that made the page may forget it a moment later
    assert (await pages.get(2, draw)).data == sent[0].data


async def test_the_keys_of_kept_pages_are_counted() -> None:
    pages, drawn = Pages(), []

    async def draw() -> Callable[[], MemorySource]:
        drawn.append(1)
        return lambda: page(b"x", "text/plain")

    async def version() -> int:
        return 1

    for letter in "abca":
        await pages.get(letter * 12 * 1024 * 1024, draw, version)
    assert len(drawn) == 4


@pytest.fixture
def occupied(request: pytest.FixtureRequest) -> Iterator[None]:
    """Occupy the threads of an executor."""
    executor: Executor = request.param
    may_end = threading.Event()
    running = executor.submit(may_end.wait)
    yield
    may_end.set()
    running.result()


@pytest.mark.parametrize(
    "occupied", [pytest.param(PREVIEW_THREADS, id="previews"), pytest.param(ARCHIVE_THREADS, id="archives")],
    indirect=True,
)  # fmt: skip
@pytest.mark.usefixtures("occupied")
async def test_a_list_does_not_wait_for_pages_about_files_and_not_for_archives(folder: Path) -> None:
    exchange = Exchange(scope("/?json"))
    tree = Tree(Downloads(DirectoryStore(folder)))
    await asyncio.wait_for(tree(exchange.scope, exchange.receive, exchange.send), HANGING)
    assert exchange.status == 200
