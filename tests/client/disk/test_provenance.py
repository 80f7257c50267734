"""The provenance of a complete file."""

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
    """A file of three bytes whose modification time has a fraction of a second."""
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    os.utime(path, ns=(0, 1_700_000_000_500_000_000))
    return path


def saved(path: Path, version: RemoteVersion, url: str = "u") -> None:
    """Save a version as the provenance of a file."""
    fd = os.open(path, os.O_RDWR)
    save(fd, url, version)
    os.close(fd)


@pytest.mark.parametrize(
    "validators", [Validators(ETag("a", weak=True)), Validators(None, 1_700_000_000), Validators(ETag("a"), 5)]
)
def test_a_saved_version_is_loaded(file: Path, validators: Validators) -> None:
    saved(file, RemoteVersion(3, validators))
    assert load(file, "u") == RemoteVersion(3, validators)


def test_a_strong_validator_is_loaded_as_strong(file: Path) -> None:
    for version in (TAGGED, RemoteVersion(3, Validators(None, 1_700_000_000), "Tue, 14 Nov 2023 22:13:20 GMT")):
        saved(file, version)
        assert load(file, "u") == version


def test_a_strong_validator_that_does_not_match_the_others_is_ignored(file: Path) -> None:
    provenance = {
        "url": "u",
        "size": 3,
        "mtime_ns": file.stat().st_mtime_ns,
        "etag": None,
        "lm": None,
        "strong": "x\r\ny",
    }
    os.setxattr(file, "user.async_downloads", json.dumps(provenance).encode())
    assert load(file, "u") == RemoteVersion(3)


def test_a_file_of_another_url_has_no_version(file: Path) -> None:
    saved(file, TAGGED)
    assert load(file, "v") is None


def test_a_file_that_was_changed_has_no_version(file: Path) -> None:
    saved(file, TAGGED)
    os.utime(file, ns=(0, 1_700_000_000_500_000_001))
    assert load(file, "u") is None


@pytest.mark.parametrize("value", [b"{", b"[]", b'{"url": "u"}', b"\xff"])
def test_an_unknown_attribute_is_no_version(file: Path, value: bytes) -> None:
    os.setxattr(file, "user.async_downloads", value)
    assert load(file, "u") is None


def test_validators_of_a_wrong_type_are_ignored(file: Path) -> None:
    provenance = {"url": "u", "size": 3, "mtime_ns": file.stat().st_mtime_ns, "etag": 1, "lm": 2}
    os.setxattr(file, "user.async_downloads", json.dumps(provenance).encode())
    assert load(file, "u") == RemoteVersion(3)


@pytest.mark.parametrize("rest", [0, 1, 999_999_999])
def test_without_an_attribute_the_modification_time_counts_as_last_modified(file: Path, rest: int) -> None:
    os.utime(file, ns=(0, 1_700_000_000_000_000_000 + rest))
    assert load(file, "u") == RemoteVersion(3, Validators(None, 1_700_000_000))
    assert load(file, "u", guess=False) is None


@pytest.mark.parametrize("name", ["none", "."])
def test_a_path_without_a_file_has_no_version(tmp_path: Path, name: str) -> None:
    assert load(tmp_path / name, "u") is None


def test_a_file_system_without_attributes_can_be_used(file: Path) -> None:
    fd = os.open(file, os.O_RDWR)
    file.unlink()
    read_only = os.open("/proc/version", os.O_RDONLY)
    save(read_only, "u", TAGGED)
    os.close(read_only)
    os.close(fd)
