"""Links and files that another user has put into a folder such as /tmp, where every user may write."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from async_downloads.client import Downloader
from async_downloads.client.disk.part_names import part_of
from async_downloads.client.disk.targets import resolve_links
from async_downloads.errors import DiskError
from client.remote import URL, Remote

ANOTHER = os.getuid() + 1
GiveAway = Callable[[Path], None]


@pytest.fixture
def shared() -> Iterator[Path]:
    """A path in a sticky folder, where several users may write."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o1777)
        yield Path(folder, "target")


@pytest.fixture
def give_away(monkeypatch: pytest.MonkeyPatch) -> GiveAway:
    """Make a path another user's, as `lstat` shows it: only root can really do that."""
    given: set[str] = set()
    lstat = os.lstat

    def changed(path: os.PathLike[str], **arguments: int) -> os.stat_result:
        status = lstat(path, **arguments)
        return os.stat_result((*status[:4], ANOTHER, *status[5:])) if os.fspath(path) in given else status

    monkeypatch.setattr(Path, "lstat", changed)
    return lambda path: given.add(os.fspath(path))


@pytest.mark.parametrize("chain", [False, True], ids=["the link itself", "a link behind another one"])
async def test_a_link_that_another_user_planted_is_not_followed(
    one: Downloader, remote: Remote, shared: Path, give_away: GiveAway, tmp_path: Path, chain: bool
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    shared.symlink_to(precious)
    give_away(shared)
    target = shared
    if chain:
        target = tmp_path / "link"
        target.symlink_to(shared)
    with pytest.raises(DiskError, match="another user has put it into a folder"):
        await one.fetch(URL, target)
    assert (precious.read_text(), remote.requests) == ("precious", [])


def test_a_link_of_the_owner_of_the_folder_is_followed(shared: Path, tmp_path: Path) -> None:
    shared.symlink_to(tmp_path / "file")
    assert resolve_links(shared) == tmp_path / "file"


def test_a_link_in_a_folder_that_is_not_sticky_is_followed(shared: Path, give_away: GiveAway, tmp_path: Path) -> None:
    shared.symlink_to(tmp_path / "file")
    give_away(shared)
    shared.parent.chmod(0o777)
    assert resolve_links(shared) == tmp_path / "file"


@pytest.mark.parametrize("content", [b"", b"planted"])
async def test_a_part_that_another_user_planted_is_not_written(
    one: Downloader, remote: Remote, shared: Path, give_away: GiveAway, content: bytes
) -> None:
    part_of(shared).write_bytes(content)
    give_away(part_of(shared))
    with pytest.raises(DiskError, match="another user has put it into a folder"):
        await one.fetch(URL, shared)
    part_of(shared.with_name("file.bin")).write_bytes(content)
    give_away(part_of(shared.with_name("file.bin")))
    result = await one.fetch(URL, directory=shared.parent)
    assert (result.path.name, part_of(shared).read_bytes()) == ("file (1).bin", content)
