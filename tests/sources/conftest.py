"""What the tests of files share."""

from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory to serve, beside a secret."""
    root = tmp_path / "root"
    (root / "docs").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"a")
    (root / "docs" / "b.txt").write_bytes(b"b")
    (root / ".hidden").write_bytes(b"hidden")
    (tmp_path / "secret").write_bytes(b"secret")
    return root
