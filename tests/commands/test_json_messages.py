"""`--access-log json`: what goes wrong is JSON, too."""

import json
import signal
from pathlib import Path
from typing import Any

import httpx
from harness.waiting import HANGING, eventually
from tools.command import ANY_PORT, Command, running, serving

_JSON = ("--access-log", "json")
APP = """
import asyncio, warnings

async def app(scope, receive, send):
    if scope["path"] == "/warns":
        warnings.warn("an old name", FutureWarning)
    if scope["path"] == "/fails":
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    raise ValueError("broken\\nin two lines")
"""


def _messages(command: Command) -> list[dict[str, Any]]:
    complete, _, _ = command.stderr.rpartition("\n")
    return [json.loads(line) for line in complete.splitlines()]


async def test_errors_of_an_app_are_json(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(APP)
    variables = {"PYTHONWARNINGS": "default"}
    async with running("run", "broken:app", *ANY_PORT, *_JSON, cwd=tmp_path, env=variables) as command:
        for target in ("/warns", "/fails"):
            assert httpx.get(command.url + target, timeout=HANGING).status_code == 500
        await eventually(lambda: len(_messages(command)) == 4)
        warning, error, other, _ = sorted(_messages(command), key=lambda each: each["logger"] != "py.warnings")
    assert (warning["logger"], warning["level"]) == ("py.warnings", "warning")
    assert "FutureWarning: an old name" in warning["message"]
    assert (error["logger"], error["level"], error["message"]) == ("async_downloads", "error", "GET '/warns' failed")
    assert error["traceback"].endswith("ValueError: broken\nin two lines")
    assert {"async_downloads", "asyncio"} >= {other["logger"]}


async def test_messages_of_the_server_and_its_parent_are_json(tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(32 * 1024 * 1024))
    async with serving(tmp_path, "-w", "2", *_JSON) as command:
        await eventually(lambda: len(command.children) == 2)
        async with command.server.downloading("/large.bin"):
            command.send(signal.SIGTERM)
            await eventually(lambda: command.stderr.endswith("\n"))
        assert await command.ended() == 0
        (message,) = _messages(command)
    assert set(message) == {"time", "level", "message"}
    assert message["message"].startswith("worker ")
    assert "1 download is running: waiting up to 30 s" in message["message"]
