"""ETags of copies on several hosts: by date and size, or by digest, also for archives, codings and ranges."""

import asyncio
import gzip
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from harness.asgi import Exchange, ask
from harness.process import no_descriptors_left
from harness.waiting import HANGING, eventually
from served_site.site import app_of

from async_downloads.asgi import Downloads
from async_downloads.config import Settings
from async_downloads.errors import SourceBusy
from async_downloads.semantics.digests import parse_digest
from async_downloads.sources import digests
from async_downloads.sources.base import EtagKind
from async_downloads.sources.digests import Hashing, known_digest
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.directory_file import DirectoryFile
from async_downloads.sources.opening import pack_version
from async_downloads.sources.shared_digests import SharedDigests

_LARGE = Random(0).randbytes(300_000)
_WANTED = ("Want-Repr-Digest", "sha-256=1")
_OLD_NS = 1_600_000_000 * 10**9


def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_shared", SharedDigests())
    digests._known.clear()


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the digests before each test: the system may give the inode of a deleted file to the next one."""
    _forget(monkeypatch)
    digests._unfinished.clear()


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A folder with a small file and a large one."""
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "small.txt").write_bytes(b"small")
    (folder / "large.bin").write_bytes(_LARGE)
    for path in folder.iterdir():
        os.utime(path, ns=(_OLD_NS, _OLD_NS + 123))
    return folder


@pytest.fixture
def dated(first: Path) -> Path:
    """A copy that kept its dates."""
    return Path(shutil.copytree(first, first.parent / "dated"))


@pytest.fixture
def undated(dated: Path) -> Path:
    """A copy that did not."""
    copy = Path(shutil.copytree(dated, dated.parent / "undated", copy_function=shutil.copyfile))
    for path in copy.iterdir():
        os.utime(path, ns=(_OLD_NS, _OLD_NS + 10**12))
    return copy


async def _get(folder: Path, key: str, kind: EtagKind, *fields: tuple[str, str], method: str = "GET") -> Exchange:
    return await ask(Downloads(DirectoryStore(folder, etag=kind)), f"/{key}", fields=fields, method=method)


async def _etags(key: str, kind: EtagKind, *folders: Path) -> list[str]:
    return [(await _get(folder, key, kind)).fields["etag"] for folder in folders]


def _opened(store: DirectoryStore, key: str) -> DirectoryFile:
    source = store._open(key, ())
    assert isinstance(source, DirectoryFile)
    return source


def _digest(found: Exchange) -> bytes | None:
    return parse_digest(found.fields.get("repr-digest", "")).get("sha-256")


@pytest.mark.parametrize("key", ["small.txt", "large.bin"])
async def test_copies_with_equal_dates_have_equal_etags_by_date_and_size(
    first: Path, dated: Path, undated: Path, key: str
) -> None:
    exact = await _etags(key, "exact", first, dated)
    assert len(set(exact)) == 2
    size = (first / key).stat().st_size
    assert await _etags(key, "mtime", first, dated) == [f'"{_OLD_NS + 123:x}-{size:x}"'] * 2
    assert (await _etags(key, "mtime", undated))[0] != f'"{_OLD_NS + 123:x}-{size:x}"'


@pytest.mark.parametrize("key", ["small.txt", "large.bin"])
async def test_copies_with_other_dates_have_equal_etags_by_digest(first: Path, undated: Path, key: str) -> None:
    digest = hashlib.sha256((first / key).read_bytes())
    assert await _etags(key, "digest", first, undated) == [f'"{digest.hexdigest()}"'] * 2
    found = await _get(first, key, "digest")
    assert (_digest(found), found.fields["accept-ranges"]) == (digest.digest(), "bytes")


async def test_a_file_whose_digest_is_not_known_yet_has_a_weak_etag_and_promises_no_ranges(first: Path) -> None:
    source = _opened(DirectoryStore(first, etag="digest"), "large.bin")
    found = source.representation
    assert (str(found.validators.etag)[:2], found.ranges, found.digest) == ("W/", False, None)
    await source.find_digest(HANGING)
    assert source.representation.digest == hashlib.sha256(_LARGE).digest()
    source.close()


async def test_a_range_of_another_replica_is_answered_when_the_digest_is_known(first: Path) -> None:
    etag = f'"{hashlib.sha256(_LARGE).hexdigest()}"'
    found = await _get(first, "large.bin", "digest", ("Range", "bytes=5-9"), ("If-Range", etag))
    assert (found.status, found.body, found.fields["etag"]) == (206, _LARGE[5:10], etag)


async def test_a_file_that_was_changed_has_another_digest(first: Path) -> None:
    store = DirectoryStore(first, etag="digest")
    app = Downloads(store)
    for content in (_LARGE, _LARGE[::-1], b"small"):
        (first / "large.bin").write_bytes(content)
        assert (await ask(app, "/large.bin")).fields["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'


async def test_the_gzip_coding_of_a_file_has_the_digest_of_its_own_bytes(first: Path) -> None:
    coded = gzip.compress(_LARGE)
    (first / "large.bin.gz").write_bytes(coded)
    os.utime(first / "large.bin.gz", ns=(_OLD_NS, _OLD_NS + 123))
    found = await _get(first, "large.bin", "digest", ("Accept-Encoding", "gzip"))
    etag = f'"{hashlib.sha256(coded).hexdigest()}"'
    assert (found.fields["content-encoding"], found.fields["etag"]) == ("gzip", etag)
    rest = await _get(
        first, "large.bin", "digest", ("Accept-Encoding", "gzip"), ("Range", "bytes=9-"), ("If-Range", etag)
    )
    assert (rest.status, rest.body) == (206, coded[9:])


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize(("etag", "copy"), [("mtime", "dated"), ("digest", "undated")])
async def test_archives_of_copies_are_equal(
    first: Path, dated: Path, undated: Path, etag: EtagKind, copy: str, kind: str
) -> None:
    (first / "empty").touch()
    os.utime(first / "empty", ns=(_OLD_NS, _OLD_NS))
    shutil.copy2(first / "empty", dated)
    shutil.copyfile(first / "empty", undated / "empty")
    names = "name=small.txt&name=large.bin&name=empty"
    sites = [app_of(Settings(directory=each, etag=etag)) for each in (first, first.parent / copy)]
    found = [await ask(site, f"/?{kind}&{names}") for site in (*sites, *sites)]
    assert {each.status for each in found} == {200}
    assert len({(each.fields["etag"], each.body) for each in found}) == 1
    assert not found[0].fields["etag"].startswith("W/")
    assert ("last-modified" in found[0].fields) is (etag == "mtime")


async def test_archives_of_other_bytes_differ(first: Path, undated: Path) -> None:
    (undated / "large.bin").write_bytes(_LARGE[::-1])
    sites = [app_of(Settings(directory=each, etag="digest")) for each in (first, undated)]
    one, other = [(await ask(site, "/?zip&name=large.bin", method="HEAD")).fields["etag"] for site in sites]
    assert one != other


async def test_a_digest_that_becomes_known_does_not_break_an_archive_that_is_being_sent(
    first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_of(Settings(directory=first, etag="digest"))
    exact = (await ask(app, "/?tar&name=large.bin")).body
    _forget(monkeypatch)
    assert (await ask(app, "/?tar&name=large.bin")).body == exact


# -- where digests come from


def _written(text: str) -> Callable[[Path], object]:
    return lambda path: Path(f"{path}.sha256").write_text(text)


_STATED = "ab" * 32


@pytest.mark.parametrize(
    "text",
    [
        _STATED,
        f"{_STATED}\n",
        _STATED.upper(),
        f"{_STATED}  large.bin\n",
        f"{_STATED} *large.bin\n",
        f"{_STATED}  build/large.bin\r\n",
    ],
)
async def test_a_digest_is_read_from_the_file_beside(first: Path, text: str) -> None:
    _written(text)(first / "large.bin")
    assert await _etags("large.bin", "digest", first) == [f'"{_STATED}"']


def _is_older(path: Path) -> None:
    _written(_STATED)(path)
    os.utime(f"{path}.sha256", ns=(0, _OLD_NS))


def _was_changed_before(path: Path) -> None:
    _written(_STATED)(path)
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(_OLD_NS, _OLD_NS))  # as `cp -p` gives new bytes an old date
    other.replace(path)


def _is_a_link(path: Path) -> None:
    path.with_name("digest").write_text(_STATED)
    Path(f"{path}.sha256").symlink_to("digest")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(_is_older, id="older"),
        pytest.param(_was_changed_before, id="replaced by other bytes with an old date"),
        pytest.param(_is_a_link, id="a link"),
        pytest.param(_written(f"{_STATED}  other.bin"), id="of another file"),
        pytest.param(_written(f"{_STATED}\n{_STATED}\n"), id="two lines"),
        pytest.param(_written("ab" * 16), id="MD5"),
        pytest.param(_written(""), id="empty"),
        pytest.param(_written(f"{_STATED}  {'x' * 9000}"), id="too long"),
        pytest.param(lambda path: Path(f"{path}.sha256").mkdir(), id="a folder"),
        pytest.param(lambda path: os.mkfifo(f"{path}.sha256"), id="a FIFO"),
    ],
)
async def test_a_stated_digest_that_need_not_be_that_of_the_file_is_computed(
    first: Path, make: Callable[[Path], object]
) -> None:
    make(first / "large.bin")
    assert await _etags("large.bin", "digest", first) == [f'"{hashlib.sha256(_LARGE).hexdigest()}"']


async def test_a_digest_is_read_from_the_attribute_until_the_file_is_written_to(first: Path) -> None:
    path = first / "large.bin"
    os.setxattr(path, "user.sha256", _STATED.encode())
    assert await _etags("large.bin", "digest", first) == [f'"{_STATED}"']
    path.write_bytes(_LARGE[::-1])
    assert await _etags("large.bin", "digest", first) == [f'"{hashlib.sha256(_LARGE[::-1]).hexdigest()}"']


async def test_a_digest_is_sent_with_any_etag_to_those_who_want_it(first: Path, undated: Path) -> None:
    small = hashlib.sha256(b"small").digest()
    for kind in ("exact", "mtime"):
        assert _digest(await _get(first, "small.txt", kind, _WANTED)) == small
        assert _digest(await _get(first, "small.txt", kind)) is None
        assert _digest(await _get(first, "large.bin", kind, _WANTED)) is None  # it would have to be computed
    _written(_STATED)(undated / "large.bin")
    part = ("Range", "bytes=1-2")
    for fields in ((_WANTED,), (_WANTED, part)):
        found = await _get(undated, "large.bin", "exact", *fields)
        assert (_digest(found) or b"").hex() == _STATED
    assert _digest(await _get(undated, "large.bin", "exact", ("Want-Repr-Digest", "sha-256=0"))) is None
    assert _digest(await _get(undated, "large.bin", "exact", _WANTED, method="HEAD"))


# -- the work


async def test_work_ends_when_another_process_has_done_it(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_TURN_BYTES", 100_000)
    stated, advance = bytes.fromhex(_STATED), Hashing._advance

    def known_after_a_turn(work: Hashing) -> tuple[bytes | None, bool]:
        digest, is_over = advance(work)
        digests._shared.put(work._version, stated)
        return digest, is_over

    monkeypatch.setattr(Hashing, "_advance", known_after_a_turn)
    assert await _etags("large.bin", "digest", first) == [f'"{_STATED}"']


async def test_all_who_wait_for_one_file_share_the_work(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Hashing] = []
    advance = Hashing._advance

    def counted(work: Hashing) -> tuple[bytes | None, bool]:
        begun.append(work)
        return advance(work)

    monkeypatch.setattr(Hashing, "_advance", counted)
    store = DirectoryStore(first, etag="digest")
    sources = [_opened(store, "large.bin") for _ in range(50)]
    await asyncio.gather(*(source.find_digest(HANGING) for source in sources))
    assert len(begun) == 1
    assert {source.representation.digest for source in sources} == {hashlib.sha256(_LARGE).digest()}
    for source in sources:
        source.close()


async def test_a_caller_that_stops_to_wait_neither_stops_nor_burdens_the_others(first: Path) -> None:
    work = Hashing(b"version", first.stat(), "")
    staying = asyncio.create_task(work.digest(HANGING))
    for _ in range(20):
        assert await work.digest(0) is None
    assert len(work._result._done_callbacks) == 1  # type: ignore[attr-defined] # private, but here it is the matter
    work._result.set_result(b"digest")
    assert await staying == b"digest"


async def test_without_a_free_descriptor_a_file_is_busy_and_its_digest_is_found_later(
    first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _opened(DirectoryStore(first, etag="digest"), "large.bin")
    with no_descriptors_left(), pytest.raises(SourceBusy):
        await source.find_digest(HANGING)
    [work] = digests._unfinished.values()
    assert not work._wanted
    await source.find_digest(HANGING)
    assert source.representation.digest == hashlib.sha256(_LARGE).digest()
    source.close()
    assert not digests._unfinished


async def test_work_that_nobody_waits_for_is_paused_and_later_continued(
    first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_TURN_BYTES", 100_000)
    store = DirectoryStore(first, etag="digest")
    source = _opened(store, "large.bin")
    version = pack_version(source.status)
    assert version
    finding = asyncio.create_task(source.find_digest(HANGING))
    await asyncio.sleep(0)
    with digests._lock:
        finding.cancel()
    await asyncio.wait([finding])
    source.close()
    await eventually(lambda: version not in digests._unfinished or not digests._unfinished[version]._is_running)
    again = _opened(store, "large.bin")
    await again.find_digest(HANGING)
    assert again.representation.digest == known_digest(version) == hashlib.sha256(_LARGE).digest()
    again.close()
    assert not digests._unfinished


async def test_a_disk_that_does_not_respond_delays_only_its_own_files_and_only_until_the_time_is_over(
    first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = asyncio.Event()
    loop = asyncio.get_running_loop()
    advance = Hashing._advance

    def hanging(work: Hashing) -> tuple[bytes | None, bool]:
        asyncio.run_coroutine_threadsafe(let_go.wait(), loop).result()
        return advance(work)

    monkeypatch.setattr(Hashing, "_advance", hanging)
    async with asyncio.timeout(HANGING):
        found = await _get(first, "large.bin", "digest")
    assert (found.status, found.fields["etag"][:2], found.fields["accept-ranges"]) == (200, "W/", "none")
    assert found.body == _LARGE
    let_go.set()
    await eventually(lambda: not any(each._is_running for each in digests._unfinished.values()))


async def test_a_file_that_shrinks_while_it_is_hashed_has_no_digest(first: Path) -> None:
    source = _opened(DirectoryStore(first, etag="digest"), "large.bin")
    os.truncate(first / "large.bin", 1000)
    await source.find_digest(HANGING)
    assert source.representation.digest is None
    await source.refresh()
    assert (source.representation.size, source.representation.ranges) == (1000, False)
    source.close()


def test_the_digests_that_are_remembered_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_MAX_BYTES", 3 * digests._ENTRY_BYTES)
    versions = [bytes([number]) * 48 for number in range(5)]
    for version in versions:
        digests._remember(version, bytes(32))
        known_digest(versions[0])
    assert list(digests._known) == [versions[3], versions[4], versions[0]]


async def test_beyond_256_unfinished_files_only_paused_ones_are_forgotten(
    first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_MAX_UNFINISHED", 1)
    statuses = [(first / name).stat() for name in ("small.txt", "large.bin")]
    small = digests.hashing_of(statuses[0], "")
    assert small
    small._wanted = 1
    assert digests.hashing_of(statuses[1], "") is None
    small._wanted = 0
    assert digests.hashing_of(statuses[1], "")
    assert len(digests._unfinished) == 1
