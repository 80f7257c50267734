"""What `get` loads before it can download."""

import subprocess
import sys

PROGRAM = """
import sys
from async_downloads.commands.get import _load
_load()
assert "pygments" not in sys.modules, "httpx has loaded its own command"
import httpx
assert [name for name in httpx.__all__ if not hasattr(httpx, name)] == []
import httpx._main
assert httpx._main.main.name == "main"
"""


def test_get_does_not_load_the_command_of_httpx_and_httpx_stays_complete() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
