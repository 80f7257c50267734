"""DirectoryStore keeps the contract of stores, and handles links, special files, permissions and scarce descriptors."""

import asyncio
import os
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path

import pytest
from harness.process import descriptors, no_descriptors_left, unprivileged
from harness.waiting import eventually

from async_downloads.errors import Forbidden, NotFound, SourceBusy
from async_downloads.sources.directory import DirectoryStore
from sources.contract import CONTENTS, LARGE, BrowsableContract, read_whole
from sources.test_files import until_the_next_tick


@dataclass
class DirectoryBench:
    """A directory whose files are replaced by renaming."""

    root: Path

    @property
    def store(self) -> DirectoryStore:
        return DirectoryStore(self.root)

    async def put(self, key: str, data: bytes) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            until_the_next_tick(path, self.root / ".new")
        (self.root / ".new").write_bytes(data)
        (self.root / ".new").replace(path)

    async def remove(self, key: str) -> None:
        (self.root / key).unlink()


class TestDirectoryStore(BrowsableContract):
    """The contract of stores; each test also leaves no descriptor open."""

    @pytest.fixture
    async def bench(self, tmp_path: Path) -> DirectoryBench:
        bench = DirectoryBench(tmp_path)
        for key, data in CONTENTS.items():
            await bench.put(key, data)
        return bench

    @pytest.fixture(autouse=True)
    async def _nothing_left(self, bench: DirectoryBench) -> AsyncIterator[None]:
        yield
        inside = str(bench.root)
        # A cancelled read continues in its thread, and its file stays open until it ends.
        await eventually(lambda: not [place for place in descriptors().values() if place.startswith(inside)])


async def opened(store: DirectoryStore, key: str) -> bytes:
    """Read the file twice, because the second open uses what the store remembers, and return its content."""
    first = await read_whole(store, key)
    assert await read_whole(store, key) == first
    return first


async def refused(store: DirectoryStore, *keys: str) -> None:
    """Check that `open` and `list` raise NotFound for every key."""
    for key in keys:
        for ask in (store.open, store.list):
            with pytest.raises(NotFound):
                await ask(key)


@pytest.mark.parametrize("target", ["a.txt", "docs/b.txt", "docs/../a.txt", "ring/a.txt"])
async def test_a_link_that_stays_inside_is_followed(root: Path, target: str) -> None:
    (root / "ring").symlink_to(".")
    (root / "link").symlink_to(target)
    (root / "absolute").symlink_to(root / target)
    store = DirectoryStore(root)
    assert await opened(store, "link") == await opened(store, "absolute") == (root / target).read_bytes()


@pytest.mark.parametrize(
    "target", ["../secret", "../root-beside", "..", "/", "/proc/self/environ", "docs/../../secret"]
)
async def test_a_link_that_leads_outside_is_not_followed(root: Path, target: str) -> None:
    (root.parent / "root-beside").write_bytes(b"a name that begins with the name of the root")
    (root / "link").symlink_to(target)
    (root / "chain").symlink_to("link")
    await refused(DirectoryStore(root), "link", "chain", "link/secret", "link/etc/passwd")
    assert "link" not in [entry.name for entry in (await DirectoryStore(root).list("")).entries]


async def test_follow_symlinks_follows_links_that_lead_outside(root: Path) -> None:
    (root / "link").symlink_to("../secret")
    (root / "up").symlink_to("..")
    store = DirectoryStore(root, follow_symlinks=True)
    assert await opened(store, "link") == await opened(store, "up/secret") == b"secret"
    assert {entry.name for entry in (await store.list("")).entries} == {"a.txt", "docs", "link", "up"}


async def test_broken_and_circular_links_are_not_found(root: Path) -> None:
    (root / "gone").symlink_to("nothing")
    (root / "self").symlink_to("self")
    await refused(DirectoryStore(root, follow_symlinks=True), "gone", "self", "self/x")
    assert [entry.name for entry in (await DirectoryStore(root).list("")).entries] == ["docs", "a.txt"]


async def test_a_link_swapped_during_open_never_leads_outside(root: Path) -> None:
    store, stop, link = DirectoryStore(root), threading.Event(), root / "link"
    link.symlink_to("a.txt")

    def exchange() -> None:
        for target in cycle(("../secret", "a.txt")):
            (root / ".next").symlink_to(target)
            (root / ".next").replace(link)
            if stop.is_set():
                return

    exchanging = asyncio.ensure_future(asyncio.to_thread(exchange))
    seen: set[bytes] = set()
    tries = count()
    while next(tries) < 3000 or not seen:  # at first the link may lead outside all the time
        with suppress(NotFound):
            seen.add(await read_whole(store, "link"))
    stop.set()
    await exchanging
    assert seen == {b"a"}


@pytest.mark.parametrize("key", [".hidden", ".git/config", "docs/.b.txt", "link", "linked/config"])
async def test_hidden_files_are_served_only_on_request(root: Path, key: str) -> None:
    (root / ".git").mkdir()
    for name in (".git/config", "docs/.b.txt"):
        (root / name).write_bytes(b"hidden")
    (root / "link").symlink_to(".hidden")
    (root / "linked").symlink_to(".git")
    await refused(DirectoryStore(root), key)
    assert await opened(DirectoryStore(root, hidden=True), key) == b"hidden"


async def test_the_volumes_of_kubernetes_are_served(root: Path) -> None:
    (root / "..2026_01_02").mkdir()
    (root / "..2026_01_02" / "app.yaml").write_bytes(b"k: v")
    (root / "..data").symlink_to("..2026_01_02")
    (root / "app.yaml").symlink_to("..data/app.yaml")
    store = DirectoryStore(root)
    assert await opened(store, "app.yaml") == b"k: v"
    assert "app.yaml" in [entry.name for entry in (await store.list("")).entries]


async def test_the_content_that_git_annex_keeps_is_served_by_its_links_only(root: Path) -> None:
    objects = root / ".git/annex/objects/aa/bb/SHA256E-s4--0a.txt"
    objects.mkdir(parents=True)
    (objects / objects.name).write_bytes(b"kept")
    (root / "docs" / "kept.txt").symlink_to(f"../.git/annex/objects/aa/bb/{objects.name}/{objects.name}")
    (root / "config").symlink_to(".git/annex/config")
    (root / ".git/annex/config").write_bytes(b"secret")
    store = DirectoryStore(root)
    assert await opened(store, "docs/kept.txt") == b"kept"
    assert [entry.name for entry in (await store.list("docs")).entries] == ["b.txt", "kept.txt"]
    await refused(store, f".git/annex/objects/aa/bb/{objects.name}/{objects.name}", "config")


@pytest.mark.parametrize("target", [".env", "../.secret", "../beside/.env", "chain"])
async def test_no_link_leads_to_a_hidden_place_even_outside(root: Path, target: str) -> None:
    (root.parent / "beside").mkdir()
    for name in (".env", "../.secret", "../beside/.env"):
        (root / name).write_bytes(b"hidden")
    (root / "chain").symlink_to("last")
    (root / "last").symlink_to("../beside/.env")
    (root / "link").symlink_to(target)
    await refused(DirectoryStore(root, follow_symlinks=True), "link")
    assert await opened(DirectoryStore(root, follow_symlinks=True, hidden=True), "link") == b"hidden"


async def test_well_known_files_are_not_hidden(root: Path) -> None:
    for name in (".well-known/acme/token", ".well-known/.hidden", ".well-known-not"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"found")
    (root / "link").symlink_to(".well-known/acme/token")
    store = DirectoryStore(root)
    assert await opened(store, ".well-known/acme/token") == await opened(store, "link") == b"found"
    await refused(store, ".well-known/.hidden", ".well-known-not")
    names = [entry.name for entry in (await store.list("")).entries]
    assert names == [".well-known", "docs", "a.txt", "link"]
    assert [entry.name for entry in (await store.list(".well-known")).entries] == ["acme"]


async def test_a_root_below_a_hidden_directory_is_served(tmp_path: Path) -> None:
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.txt").write_bytes(b"a")
    assert await opened(DirectoryStore(tmp_path / ".cache"), "a.txt") == b"a"


async def test_a_link_may_lead_to_another_place_below_the_same_hidden_directory(tmp_path: Path) -> None:
    for name in ("root", "shared"):
        (tmp_path / ".app" / name).mkdir(parents=True)
    (tmp_path / ".app" / "shared" / "a.txt").write_bytes(b"a")
    (tmp_path / ".app" / "root" / "link").symlink_to("../shared/a.txt")
    assert await opened(DirectoryStore(tmp_path / ".app" / "root", follow_symlinks=True), "link") == b"a"


async def test_a_root_that_is_a_link_may_be_replaced(root: Path, tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    (tmp_path / "next" / "a.txt").write_bytes(b"next")
    (tmp_path / "current").symlink_to(root)
    store = DirectoryStore(tmp_path / "current")
    assert await opened(store, "a.txt") == b"a"
    (tmp_path / "new").symlink_to("next")
    (tmp_path / "new").replace(tmp_path / "current")
    assert await opened(store, "a.txt") == b"next"
    assert [entry.name for entry in (await store.list("")).entries] == ["a.txt"]


async def test_a_link_into_the_replaced_root_is_not_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    (tmp_path / "next" / "back").symlink_to(root / "a.txt")
    (tmp_path / "current").symlink_to(root)
    store = DirectoryStore(tmp_path / "current")
    (tmp_path / "new").symlink_to("next")
    (tmp_path / "new").replace(tmp_path / "current")
    await refused(store, "back")


async def test_the_file_system_root_can_be_served(root: Path) -> None:
    store = DirectoryStore("/", hidden=True)
    assert await opened(store, str(root / "a.txt")[1:]) == b"a"


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(path.parent)  # the address of a socket has a short limit
        try:
            listener.bind(path.name)
        finally:
            os.chdir(here)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [_fifo, _socket, _device], ids=["FIFO", "socket", "device"])
async def test_opening_a_special_file_never_blocks(root: Path, make: Callable[[Path], None]) -> None:
    make(root / "odd")
    store = DirectoryStore(root, follow_symlinks=True)
    await refused(store, "odd")
    assert [entry.name for entry in (await store.list("")).entries] == ["docs", "a.txt"]


async def test_an_unreadable_file_is_forbidden() -> None:
    with tempfile.TemporaryDirectory() as name:  # only root may enter pytest's own directory
        root = Path(name)
        (root / "closed").mkdir()
        for path in (root / "a.txt", root / "b.txt", root / "closed" / "c.txt"):
            path.write_bytes(b"a")
        for path, mode in ((root, 0o755), (root / "a.txt", 0o644), (root / "b.txt", 0), (root / "closed", 0)):
            path.chmod(mode)
        store = DirectoryStore(root)
        with unprivileged():
            assert await opened(store, "a.txt") == b"a"
            for ask, key in ((store.open, "b.txt"), (store.open, "closed/c.txt"), (store.list, "closed")):
                with pytest.raises(Forbidden):
                    await ask(key)
        (root / "closed").chmod(0o700)


@pytest.mark.parametrize("but", [0, 1, 2], ids="{} descriptors left".format)
async def test_a_store_without_free_descriptors_is_busy_and_recovers(root: Path, but: int) -> None:
    store = DirectoryStore(root)
    (root / "a.txt").write_bytes(LARGE)  # too large for the cache, so it must be opened
    for _ in range(2):
        with no_descriptors_left(but=but):
            for ask, key in ((store.open, "a.txt"), (store.list, "docs")):
                with suppress(SourceBusy):
                    found = await ask(key)
                    assert but, "no descriptor was left to open it"
                    await getattr(found, "aclose", lambda: asyncio.sleep(0))()
        assert await opened(store, "a.txt") == LARGE


async def test_a_removed_root_is_not_found(root: Path) -> None:
    store = DirectoryStore(root)
    root.rename(root.parent / "away")
    await refused(store, "a.txt", "", "docs")


@pytest.mark.parametrize("name", ["nothing", "root/a.txt", "nothing/below"])
def test_a_store_of_no_directory_cannot_be_made(root: Path, name: str) -> None:
    with pytest.raises(NotADirectoryError, match=name):
        DirectoryStore(root.parent / name)


async def test_a_root_may_be_missing_for_some_time(root: Path) -> None:
    store = DirectoryStore(root)
    root.rename(root.parent / "away")
    await refused(store, "a.txt", "")
    (root.parent / "away").rename(root)
    assert await opened(store, "a.txt") == b"a"


async def test_a_relative_root_is_resolved_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    store = DirectoryStore("root")
    monkeypatch.chdir("/")
    assert await opened(store, "a.txt") == b"a"
