"""`run` ends also if its app does not start, or ignores that its tasks are cancelled."""

import asyncio
from pathlib import Path

import pytest
from harness.waiting import eventually
from tools.command import ANY_PORT, running

from async_downloads.server import shutdown
from async_downloads.server.shutdown import exit_if_stuck

APPS = """
import asyncio

async def never_starts(scope, receive, send):
    await receive()
    open("begun", "w").close()
    await asyncio.Event().wait()

async def never_ends(scope, receive, send):
    if scope["type"] != "lifespan":
        return
    await receive()
    await send({"type": "lifespan.startup.complete"})
    open("begun", "w").close()
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
"""


async def test_an_app_that_never_starts_is_ended_by_one_signal(tmp_path: Path) -> None:
    (tmp_path / "apps.py").write_text(APPS)
    arguments = ("run", "apps:never_starts", *ANY_PORT, "--drain-timeout", "1000", "--drain-delay", "1000")
    async with running(*arguments, cwd=tmp_path) as command:
        await eventually((tmp_path / "begun").exists)
        command.process.terminate()
        assert await command.ended() == 0


async def test_an_app_that_ignores_its_end_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "apps.py").write_text(APPS)
    async with running("run", "apps:never_ends", *ANY_PORT, cwd=tmp_path) as command:
        await eventually((tmp_path / "begun").exists)
        command.process.terminate()
        assert await command.ended() == 0
        assert "a task or a thread of the app does not end" in command.stderr


async def test_a_block_that_ends_in_time_leaves_the_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    exits: list[int] = []
    monkeypatch.setattr(shutdown, "_STUCK_SECONDS", 0.01)
    monkeypatch.setattr(shutdown, "_exit", exits.append)
    with exit_if_stuck(1):
        await eventually(lambda: exits == [1])
    monkeypatch.setattr(shutdown, "_STUCK_SECONDS", 60.0)
    with exit_if_stuck(2):
        await asyncio.sleep(0)
    assert exits == [1]
