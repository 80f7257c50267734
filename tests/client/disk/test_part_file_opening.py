"""Opening the file that a download goes to: nobody else's, and nothing but a file."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from async_downloads.client.disk import lock as module
from async_downloads.client.disk.part_file import PartFile, part_of, tidy
from async_downloads.errors import DiskError, TargetBusy
from client.remote import names


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be."""
    return tmp_path / "file.bin"


def test_somebody_else_is_told_that_it_is_busy(part_file: PartFile, path: Path) -> None:
    with pytest.raises(TargetBusy, match="another download to it is running"):
        PartFile(path, "u")


def test_so_is_another_process(part_file: PartFile, path: Path) -> None:
    program = (
        "from async_downloads.client.disk.part_file import PartFile; from pathlib import Path; "
        f"PartFile(Path({str(path)!r}), 'u')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "TargetBusy" in ended.stderr


@pytest.mark.parametrize("ending", [".part", ".part.json", ".part.json.tmp"])
@pytest.mark.parametrize("reverse", [False, True], ids=["the file first", "the file last"])
def test_nobody_downloads_to_what_belongs_to_another_download(path: Path, ending: str, reverse: bool) -> None:
    paths = [path, path.with_name(f"{path.name}{ending}")]
    first = PartFile(paths[reverse], "u")
    with pytest.raises(TargetBusy, match="another download to it is running"):
        PartFile(paths[not reverse], "v")
    assert names(path) == [first.part.name]
    first.close()
    PartFile(paths[not reverse], "v").close()


def test_when_it_was_closed_it_can_be_had(path: Path) -> None:
    PartFile(path, "u").close()
    PartFile(path, "u").close()


def test_a_part_that_got_its_name_while_it_was_opened_is_not_written_to(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = PartFile(path, "u")
    lock = module._lock

    def finished_meanwhile(fd: int, part: Path) -> None:
        monkeypatch.setattr(module, "_lock", lock)
        first.publish(path, replace=True)
        first.close()
        lock(fd, part)

    monkeypatch.setattr(module, "_lock", finished_meanwhile)
    second = PartFile(path, "u")
    assert not os.path.samestat(os.fstat(second.fd), path.stat())
    assert os.path.samestat(os.fstat(second.fd), second.part.stat())
    second.close()


def test_a_part_that_is_not_there_any_more_is_made_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = module._lock

    def deleted_meanwhile(fd: int, part: Path) -> None:
        monkeypatch.setattr(module, "_lock", lock)
        part.unlink()

    monkeypatch.setattr(module, "_lock", deleted_meanwhile)
    part_file = PartFile(path, "u")
    assert part_file.part.exists()
    part_file.close()


def test_a_file_system_without_locks_does_without(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", _raise(OSError(95, "Operation not supported")))
    PartFile(path, "u").close()


def test_any_other_failure_of_a_lock_is_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    ("prepare", "says"),
    [
        pytest.param(_folder, "Is a directory", id="a folder"),
        pytest.param(_fifo, "not a regular file", id="a pipe"),
        pytest.param(_device, "not a regular file", id="a device"),
    ],
)
def test_what_is_no_file_is_not_replaced(path: Path, prepare: Callable[[Path], None], says: str) -> None:
    prepare(path)
    with pytest.raises(DiskError, match=says):
        PartFile(path, "u")


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        pytest.param(_folder, "Is a directory", id="a folder"),
        pytest.param(_fifo, "not a regular file", id="a pipe"),
        pytest.param(_link, "symbolic links", id="a link to elsewhere"),
    ],
)
def test_a_part_is_a_file_of_ours(path: Path, prepare: Callable[[Path], None], says: str) -> None:
    prepare(part_of(path))
    with pytest.raises(DiskError, match=says):
        PartFile(path, "u")
    assert not path.with_name("elsewhere").exists()


@pytest.mark.parametrize("name", [".", "/", "none/file"])
def test_a_path_that_cannot_be_is_an_error_of_the_disk(tmp_path: Path, name: str) -> None:
    with pytest.raises(DiskError):
        PartFile(tmp_path / name, "u")


async def test_a_part_that_is_a_whole_file_already_is_not_touched(path: Path) -> None:
    path.write_text("whole")
    part_of(path).hardlink_to(path)
    part_file = PartFile(path, "u")
    await part_file.write([(0, [b"new"])])
    assert (path.read_text(), part_file.part.read_text()) == ("whole", "new")
    part_file.close()


@pytest.mark.parametrize(("prepare", "left"), [("hardlink_to", ["file.bin"]), ("touch", ["file.bin", "file.bin.part"])])
def test_what_a_killed_process_left_is_tidied_up(path: Path, prepare: str, left: list[str]) -> None:
    path.write_text("whole")
    getattr(part_of(path), prepare)(*[path] * (prepare == "hardlink_to"))
    tidy(path)
    assert names(path) == left


def test_what_somebody_is_about_to_tidy_up_is_left_to_him(path: Path, part_file: PartFile) -> None:
    path.hardlink_to(part_file.part)
    tidy(path)
    assert names(path) == ["file.bin", "file.bin.part"]


def test_where_nothing_is_there_is_nothing_to_tidy_up(path: Path) -> None:
    tidy(path)
