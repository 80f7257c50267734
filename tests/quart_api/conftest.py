"""A folder of files for views to send, and Quart with and without `init_app`."""

import os
from pathlib import Path
from random import Random
from typing import Final

import pytest

from quart_api.twins import SIDES

MODIFIED: Final = 1_700_000_000_500_000_000
CONTENT: Final = bytes(range(256)) * 8
NAMES: Final = (
    "notes.txt",
    "page.html",
    "plan.pdf",
    "photo.PNG",
    "Makefile",
    "data.unknown",
    ".hidden",
    "two words.txt",
    'a "quote".txt',
    "naïve.txt",
    "日本.txt",
    "100%25.txt",
    "logs.tar.gz",
    "back\\slash.txt",
    "sub/deep/c.txt",
)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root path of the apps: small files, a large one, an empty one, a link that leads out and one that stays."""
    root = tmp_path_factory.mktemp("app")
    contents = dict.fromkeys(NAMES, CONTENT) | {"large.bin": Random(2).randbytes(300_000), "empty.txt": b""}
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(MODIFIED, MODIFIED))
    outside = tmp_path_factory.mktemp("outside") / "secret.txt"
    outside.write_bytes(b"secret")
    (root / "outwards.txt").symlink_to(outside)
    (root / "inwards.txt").symlink_to("sub/deep/c.txt")
    os.mkfifo(root / "fifo")
    return root


@pytest.fixture(params=list(SIDES.values()), ids=list(SIDES))
def with_init(request: pytest.FixtureRequest) -> bool:
    """Whether the test calls `init_app`: every response must be right without it, too."""
    return bool(request.param)
