"""Opening a part file: it is locked against other downloads, and it is a regular file."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.client.disk import lock
from async_downloads.client.disk.lock import unlink_alias
from async_downloads.client.disk.part_file import PartFile
from async_downloads.client.disk.part_names import part_of
from async_downloads.errors import DiskError, TargetBusy
from client.remote import names


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The target of the download."""
    return tmp_path / "file.bin"


def test_a_second_download_to_the_same_path_is_busy(part_file: PartFile, path: Path) -> None:
    with pytest.raises(TargetBusy, match="another download to it is running"):
        PartFile(path, "u")


def test_a_second_process_with_the_same_path_is_busy(part_file: PartFile, path: Path) -> None:
    program = (
        "from async_downloads.client.disk.part_file import PartFile; from pathlib import Path; "
        f"PartFile(Path({str(path)!r}), 'u')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "TargetBusy" in ended.stderr


@pytest.mark.parametrize("ending", [".part", ".part.json", ".part.json.tmp"])
@pytest.mark.parametrize("reverse", [False, True], ids=["the file first", "the file last"])
def test_a_download_to_a_file_of_another_download_is_busy(path: Path, ending: str, reverse: bool) -> None:
    paths = [path, path.with_name(f"{path.name}{ending}")]
    first = PartFile(paths[reverse], "u")
    with pytest.raises(TargetBusy, match="another download to it is running"):
        PartFile(paths[not reverse], "v")
    assert names(path) == [first.part.name]
    first.close()
    PartFile(paths[not reverse], "v").close()


def test_a_closed_part_file_can_be_opened_again(path: Path) -> None:
    PartFile(path, "u").close()
    PartFile(path, "u").close()


async def test_a_part_without_a_journal_is_of_this_package_after_a_kill(path: Path) -> None:
    """The process is killed between the last flush and the rename, and the file was too small for a journal."""
    part_file = PartFile(path, "u")
    await part_file.write([(0, [b"bytes"])])
    part_file.complete(RemoteVersion(5))
    part_file.close()
    PartFile(path, "u").close()
    assert part_of(path).read_bytes() == b"bytes"


async def test_a_complete_file_is_not_taken_for_a_part(path: Path) -> None:
    part_file = PartFile(path, "u")
    await part_file.write([(0, [b"bytes"])])
    part_file.complete(RemoteVersion(5))
    part_file.publish(path, replace=True)
    part_file.close()
    path.rename(part_of(path))
    with pytest.raises(TargetBusy, match="another program"):
        PartFile(path, "u")


def test_a_part_that_is_published_while_it_is_opened_is_not_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = PartFile(path, "u")
    take_lock = lock._lock

    def finished_meanwhile(fd: int, part: Path) -> None:
        monkeypatch.setattr(lock, "_lock", take_lock)
        first.publish(path, replace=True)
        first.close()
        take_lock(fd, part)

    monkeypatch.setattr(lock, "_lock", finished_meanwhile)
    second = PartFile(path, "u")
    assert not os.path.samestat(os.fstat(second.fd), path.stat())
    assert os.path.samestat(os.fstat(second.fd), second.part.stat())
    second.close()


def test_a_part_that_is_deleted_during_the_opening_is_created_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_lock = lock._lock

    def deleted_meanwhile(fd: int, part: Path) -> None:
        monkeypatch.setattr(lock, "_lock", take_lock)
        part.unlink()

    monkeypatch.setattr(lock, "_lock", deleted_meanwhile)
    part_file = PartFile(path, "u")
    assert part_file.part.exists()
    part_file.close()


def test_a_file_system_without_locks_can_be_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", _raise(OSError(95, "Operation not supported")))
    PartFile(path, "u").close()


def test_any_other_error_of_a_lock_is_a_disk_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", _raise(OSError(5, "Input/output error")))
    with pytest.raises(DiskError, match="Input/output error"):
        PartFile(path, "u")


def _raise(error: Exception) -> Callable[..., None]:
    def function(*args: object) -> None:
        raise error

    return function


def _folder(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))


def _device(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.mark.parametrize(
    ("place", "prepare", "says"),
    [
        pytest.param(Path, _folder, "Is a directory", id="a folder"),
        pytest.param(Path, _fifo, "not a regular file", id="a pipe"),
        pytest.param(Path, _device, "not a regular file", id="a device"),
        pytest.param(part_of, _folder, "Is a directory", id="part, a folder"),
        pytest.param(part_of, _fifo, "not a regular file", id="part, a pipe"),
        pytest.param(part_of, _link, "symbolic links", id="part, a link to elsewhere"),
    ],
)
def test_a_path_or_part_that_is_not_a_regular_file_is_refused(
    path: Path, place: Callable[[Path], Path], prepare: Callable[[Path], None], says: str
) -> None:
    prepare(place(path))
    with pytest.raises(DiskError, match=says):
        PartFile(path, "u")


@pytest.mark.parametrize("name", [".", "/", "none/file"])
def test_an_impossible_path_is_a_disk_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DiskError):
        PartFile(tmp_path / name, "u")


async def test_a_part_that_is_already_published_is_not_written_to(path: Path) -> None:
    path.write_text("whole")
    part_of(path).hardlink_to(path)
    part_file = PartFile(path, "u")
    await part_file.write([(0, [b"new"])])
    assert (path.read_text(), part_file.part.read_text()) == ("whole", "new")
    part_file.close()


@pytest.mark.parametrize(("prepare", "left"), [("hardlink_to", ["file.bin"]), ("touch", ["file.bin", "file.bin.part"])])
def test_the_second_name_that_a_killed_process_left_is_deleted(path: Path, prepare: str, left: list[str]) -> None:
    path.write_text("whole")
    getattr(part_of(path), prepare)(*[path] * (prepare == "hardlink_to"))
    unlink_alias(part_of(path), path)
    assert names(path) == left


def test_the_second_name_of_a_running_download_is_not_deleted(path: Path, part_file: PartFile) -> None:
    path.hardlink_to(part_file.part)
    unlink_alias(part_of(path), path)
    assert names(path) == ["file.bin", "file.bin.part"]


def test_without_files_no_name_is_deleted(path: Path) -> None:
    unlink_alias(part_of(path), path)
