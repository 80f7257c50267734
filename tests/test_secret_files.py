"""Secrets in files that variables name: how they are read, and what is said about those that cannot be."""

from pathlib import Path

import pytest
from tools.command import refusal, running
from tools.databases import fill
from tools.databases import sqlite as sqlite  # noqa: PLC0414

from async_downloads.config import Settings
from async_downloads.secret_files import read_secret

_NAME = "ASYNC_DOWNLOADS_SECRET"


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"s3cret\n", "s3cret"), (b"s3cret\r\n", "s3cret"), ("ü ".encode(), "ü "), (b"a\n\n", "a\n")],
)
def test_the_end_of_the_last_line_is_no_part_of_the_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, secret: str
) -> None:
    (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv(f"{_NAME}_FILE", str(tmp_path / "secret"))
    assert read_secret(_NAME) == secret
    assert Settings.from_environment().secret == secret


def test_a_variable_without_a_file_is_the_secret_and_without_a_value_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(_NAME, "s3cret")
    monkeypatch.setenv(f"{_NAME}_FILE", "")
    assert read_secret(_NAME) == "s3cret"
    monkeypatch.setenv(_NAME, "")
    assert read_secret(_NAME) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff", "is not text in UTF-8"),
        (bytes(65537), "has more than 64 KiB"),
    ],
)
def test_a_file_that_holds_no_secret_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, said: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(f"{_NAME}_FILE", str(path))
    with pytest.raises(ValueError, match=rf"^{_NAME}_FILE: {path}:? {said}$"):
        read_secret(_NAME)


def test_a_secret_that_is_given_twice_is_refused_and_not_shown(tmp_path: Path) -> None:
    env = {_NAME: "hunter2", f"{_NAME}_FILE": str(tmp_path / "secret")}
    said = refusal("serve", tmp_path, env=env)
    assert f"{_NAME} and {_NAME}_FILE are both set" in said
    assert "hunter2" not in said


def test_a_url_that_cannot_be_read_is_no_traceback(tmp_path: Path) -> None:
    said = refusal("ls", env={"DATABASE_URL_FILE": str(tmp_path / "none")})
    assert f"DATABASE_URL_FILE: {tmp_path / 'none'}: No such file or directory" in said


async def test_serve_reads_the_url_of_its_database_from_a_file(tmp_path: Path, sqlite: str) -> None:
    await fill(sqlite, a=b"content")
    (tmp_path / ".url").write_text(f"{sqlite}\n")
    env = {"ASYNC_DOWNLOADS_DATABASE_FILE": str(tmp_path / ".url")}
    async with running("serve", tmp_path, "--bind", "127.0.0.1:0", "--list-files", env=env) as command:
        assert command.get("/files/a").content == b"content"
