"""A server that the programs download from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tools.command import Command, serving


@pytest.fixture
async def command(tree: Path) -> AsyncIterator[Command]:
    """A server of the folder `tree`, with an access log in JSON."""
    async with serving(tree, "--access-log", "json") as command:
        yield command
