"""What is known of a file that is whole."""

import json
import os
from pathlib import Path

import pytest

from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.client.disk.provenance import load, save
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import Validators

TAGGED = RemoteVersion(3, Validators(ETag("a"), 1_700_000_000), '"a"')


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of three bytes, with a time that is no whole second."""
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    os.utime(path, ns=(0, 1_700_000_000_500_000_000))
    return path


def noted(path: Path, version: RemoteVersion, url: str = "u") -> None:
    """Remember a version at a file."""
    fd = os.open(path, os.O_RDWR)
    save(fd, url, version)
    os.close(fd)


@pytest.mark.parametrize(
    "validators", [Validators(ETag("a", weak=True)), Validators(None, 1_700_000_000), Validators(ETag("a"), 5)]
)
def test_the_version_of_a_file_is_remembered(file: Path, validators: Validators) -> None:
    noted(file, RemoteVersion(3, validators))
    assert load(file, "u") == RemoteVersion(3, validators)


def test_so_is_whether_its_validator_is_strong(file: Path) -> None:
    for version in (TAGGED, RemoteVersion(3, Validators(None, 1_700_000_000), "Tue, 14 Nov 2023 22:13:20 GMT")):
        noted(file, version)
        assert load(file, "u") == version


def test_a_strong_validator_that_is_another_one_is_none(file: Path) -> None:
    known = {"url": "u", "size": 3, "mtime_ns": file.stat().st_mtime_ns, "etag": None, "lm": None, "strong": "x\r\ny"}
    os.setxattr(file, "user.async_downloads", json.dumps(known).encode())
    assert load(file, "u") == RemoteVersion(3)


def test_of_another_url_nothing_is_known(file: Path) -> None:
    noted(file, TAGGED)
    assert load(file, "v") is None


def test_a_file_that_was_changed_since_is_not_what_it_was(file: Path) -> None:
    noted(file, TAGGED)
    os.utime(file, ns=(0, 1_700_000_000_500_000_001))
    assert load(file, "u") is None


@pytest.mark.parametrize("value", [b"{", b"[]", b'{"url": "u"}', b"\xff"])
def test_a_note_of_somebody_else_is_none(file: Path, value: bytes) -> None:
    os.setxattr(file, "user.async_downloads", value)
    assert load(file, "u") is None


def test_values_of_another_kind_are_no_validators(file: Path) -> None:
    known = {"url": "u", "size": 3, "mtime_ns": file.stat().st_mtime_ns, "etag": 1, "lm": 2}
    os.setxattr(file, "user.async_downloads", json.dumps(known).encode())
    assert load(file, "u") == RemoteVersion(3)


@pytest.mark.parametrize("rest", [0, 1, 999_999_999])
def test_the_seconds_of_a_time_may_be_those_of_the_server(file: Path, rest: int) -> None:
    os.utime(file, ns=(0, 1_700_000_000_000_000_000 + rest))
    assert load(file, "u") == RemoteVersion(3, Validators(None, 1_700_000_000))
    assert load(file, "u", guess=False) is None


@pytest.mark.parametrize("name", ["none", "."])
def test_what_is_no_file_is_no_version(tmp_path: Path, name: str) -> None:
    assert load(tmp_path / name, "u") is None


def test_a_file_system_without_attributes_does_without(file: Path) -> None:
    fd = os.open(file, os.O_RDWR)
    file.unlink()
    read_only = os.open("/proc/version", os.O_RDONLY)
    save(read_only, "u", TAGGED)
    os.close(read_only)
    os.close(fd)
