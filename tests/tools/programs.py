"""Programs that pip cannot install."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest
from harness.waiting import HANGING

__all__ = ["need", "run"]


def need(program: str) -> str:
    """Return the path of a program. If it is missing, the test is skipped, or fails if NO_SKIPS is set."""
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin") or _missing(program)


def _missing(program: str) -> NoReturn:
    if os.environ.get("NO_SKIPS"):
        pytest.fail(f"{program} is not installed")
    pytest.skip(program)


def run(program: str, *arguments: object, cwd: Path | None = None) -> bytes:
    """Run a program, which must succeed, and return its standard output."""
    command = [need(program), *map(str, arguments)]
    ended = subprocess.run(command, cwd=cwd, capture_output=True, timeout=HANGING, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout
