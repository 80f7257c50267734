"""The modules that `get` loads before it can download."""

import subprocess
import sys

PROGRAM = """
import sys
before = set(sys.modules)  # a tool that measures coverage has some
from async_downloads.commands.get import _load
_load()
loaded = sys.modules.keys() - before
assert "pygments" not in loaded, "httpx has loaded its own command"
assert not {"trio", "h2", "quart", "hypercorn", "rich", "xml", "html.parser", "async_downloads.sources"} & loaded
import httpx
assert [name for name in httpx.__all__ if not hasattr(httpx, name)] == []
import httpx._main
assert httpx._main.main.name == "main"
import trio, h2.connection
"""

COLLECTOR = """
import gc, sys
from async_downloads import __main__
sys.argv = ["async-downloads", "get", "--help"]
try:
    __main__.main()
except SystemExit:
    print("collects:", gc.isenabled(), file=sys.stderr)
"""


def test_get_loads_only_what_it_uses_and_httpx_stays_complete() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_garbage_collector_works_again_when_a_command_runs() -> None:
    ended = subprocess.run([sys.executable, "-c", COLLECTOR], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "collects: True\n")
