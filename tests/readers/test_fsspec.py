"""fsspec, with which pandas, dask, xarray and zarr read files over HTTP."""

import json
import subprocess
import sys
from typing import Any

from harness.waiting import HANGING

from readers.conftest import EXPECTED, MANY

_PROGRAM = """
import json, sys
import fsspec

base = sys.argv[1]
files = fsspec.filesystem("http")
with files.open(f"{base}/data/deep/c.csv") as file:
    file.seek(5)
    part = file.read(4).decode()
print(json.dumps({
    "glob": files.glob(f"{base}/data/*.csv"),
    "everywhere": files.glob(f"{base}/data/**/*.csv"),
    "found": files.find(f"{base}/data/"),
    "walked": [[folder, sorted(folders), sorted(names)] for folder, folders, names in files.walk(f"{base}/data/")],
    "many": files.find(f"{base}/many/"),
    "kinds": {entry["name"]: entry["type"] for entry in files.ls(f"{base}/data/")},
    "size": files.info(f"{base}/data/a.csv")["size"],
    "read": files.cat(f"{base}/data/b%20c.csv").decode(),
    "part": part,
}))
"""


def _seen(url: str) -> Any:
    """Return the view of fsspec. It has its own event loop and connections, so it runs in a process of its own."""
    command = [sys.executable, "-c", _PROGRAM, url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=HANGING, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_fsspec_finds_and_reads_every_file(url: str) -> None:
    seen = _seen(url)
    top = [name for name in EXPECTED if "/" not in name]
    assert len(seen["glob"]) == len(top)
    assert len(seen["everywhere"]) == len(seen["found"]) == len(EXPECTED)
    assert {f"{url}/data/a.csv", f"{url}/data/b%20c.csv", f"{url}/data/deep/er/d%20e.csv"} <= set(seen["found"])
    assert len(seen["walked"]) == 3
    assert sorted(seen["many"]) == sorted(f"{url}/many/{name}" for name in MANY)
    assert [name for name, kind in seen["kinds"].items() if kind == "directory"] == [f"{url}/data/deep/"]
    assert (seen["size"], seen["read"], seen["part"]) == (10, "data/b c.csv", "deep")
