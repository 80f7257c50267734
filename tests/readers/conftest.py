"""A folder whose names are hard to quote, and the URL at which it is served."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from harness.served import served
from harness.threaded import threaded
from served_site.site import app_of

from async_downloads.config import Settings

NAMES = ("a.csv", "b c.csv", "x:y.csv", "50%.csv", "q?#&.csv", "é.csv", "+.csv", "deep/c.csv", "deep/er/d e.csv")
MANY = tuple(f"{number}.txt" for number in range(1_500))  # more than a page for people shows


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder: `data` has the names, `many` has many, and some things are hidden."""
    tree = tmp_path_factory.mktemp("tree")
    for name in (
        *(f"data/{name}" for name in NAMES),
        *(f"many/{name}" for name in MANY),
        "data/.hidden",
        ".git/config",
    ):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tree


@pytest.fixture(scope="module")
def url(tree: Path) -> Iterator[str]:
    """The URL of the folder, without a slash at its end. The server has a thread of its own."""
    with threaded(served(app_of(Settings(directory=tree)))) as server:
        yield server.url


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """An empty folder for what a program saves."""
    saved = tmp_path / "saved"
    saved.mkdir()
    return saved


def contents(folder: Path) -> Mapping[str, str]:
    """Return the texts of all files below a folder, by name."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


EXPECTED = {name: f"data/{name}" for name in NAMES}
