"""Downloads to symbolic links, and to paths of the system that are not files."""

import os
import tempfile
from pathlib import Path

import pytest

from async_downloads.client import Downloader
from async_downloads.client.disk.targets import resolve_links
from async_downloads.errors import DiskError, RetriesExhausted
from client.remote import URL, Remote, cut, names, refused

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def link(path: Path) -> Path:
    """A link to a link to the target, which may not exist."""
    (path.parent / "folder").mkdir()
    (path.parent / "folder" / "second").symlink_to("../target")
    link = path.with_name("link")
    link.symlink_to("folder/second")
    return link


@pytest.mark.parametrize("there", [True, False], ids=["a file", "nothing"])
async def test_a_link_stays_and_the_file_that_it_leads_to_is_replaced(
    one: Downloader, remote: Remote, path: Path, link: Path, there: bool
) -> None:
    if there:
        path.write_text("old")
    result = await one.fetch(URL, link)
    assert (path.read_bytes() == remote.content, path.is_symlink(), link.is_symlink()) == (True, False, True)
    assert (result.path.samefile(path), names(path)) == (True, ["folder", "link", "target"])
    assert (await one.fetch(URL, link)).unchanged


async def test_the_part_is_beside_the_file_that_the_link_leads_to(
    one: Downloader, remote: Remote, path: Path, link: Path
) -> None:
    remote.faults = [cut(300_000), *[refused(503)] * 6]
    with pytest.raises(RetriesExhausted):
        await one.fetch(URL, link)
    assert names(path) == ["folder", "link", "target.part", "target.part.json"]
    assert (await one.fetch(URL, path)).resumed_from == 300_000


async def test_a_link_to_a_pipe_is_refused(one: Downloader, remote: Remote, path: Path, link: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(DiskError, match="target: not a regular file"):
        await one.fetch(URL, link)
    assert (path.is_fifo(), link.is_symlink(), remote.requests) == (True, True, [])


async def test_a_link_to_an_open_descriptor_is_refused(one: Downloader, remote: Remote, path: Path) -> None:
    with path.open("w") as file:
        link = path.with_name("link")
        link.symlink_to(f"/proc/self/fd/{file.fileno()}")
        with pytest.raises(DiskError, match="link: not a regular file"):
            await one.fetch(URL, link)
    assert (path.read_bytes(), link.is_symlink(), remote.requests) == (b"", True, [])


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/null", "/dev/none", "/dev/fd/1", "/proc/self/fd/1", "/proc/x"])
def test_a_path_in_a_directory_of_the_system_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        resolve_links(Path(name))
    (tmp_path / "folder").symlink_to(Path(name).parent)
    with pytest.raises(OSError, match="not a regular file"):
        resolve_links(tmp_path / "folder" / Path(name).name)


def test_a_path_in_shared_memory_is_allowed() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert resolve_links(Path(folder, "file")) == Path(folder, "file")


async def test_a_loop_of_links_is_refused(one: Downloader, path: Path) -> None:
    path.symlink_to(path)
    with pytest.raises(DiskError, match="Too many levels of symbolic links"):
        await one.fetch(URL, path)
