"""What `get` loads before it can download."""

import subprocess
import sys

PROGRAM = """
import sys
from async_downloads.commands.get import _load
_load()
assert "pygments" not in sys.modules, "httpx has loaded its own command"
assert not {"trio", "h2", "quart", "hypercorn", "rich", "xml", "html.parser"} & sys.modules.keys()
import httpx
assert [name for name in httpx.__all__ if not hasattr(httpx, name)] == []
import httpx._main
assert httpx._main.main.name == "main"
import trio, h2.connection
"""


def test_get_loads_only_what_it_uses_and_httpx_stays_complete() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
