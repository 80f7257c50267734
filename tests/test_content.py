"""`open_content`: the paths that views give."""

import os
from pathlib import Path

import pytest
from harness.one_thread import OneThread
from harness.one_thread import executor as executor  # noqa: PLC0414

from async_downloads.content import open_content


async def test_a_relative_path_is_opened_like_the_absolute_one(
    tmp_path: Path, executor: OneThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(b"content")
    monkeypatch.chdir(tmp_path)
    executor.release()
    before = len(executor.asked)
    for path in ("a.txt", os.path.join(tmp_path, "a.txt"), "a.txt"):
        opened = await open_content(path)
        await opened.source.aclose()
        assert opened.path == os.path.join(tmp_path, "a.txt")
    assert len(executor.asked) - before == 1  # then the path is known to be on a local file system
