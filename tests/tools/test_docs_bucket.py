"""The commands of docs/guide/bucket.md: start SeaweedFS, put a file, serve it."""

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Final

import httpx
import pytest
from harness.seaweedfs import free_ports, remove_sockets
from harness.waiting import HANGING, eventually
from source_tree import ROOT

from tools.command import COMMAND, finished, serving

_PARTS: Final = ("admin", "filer", "master", "s3", "volume")
_PORTS: Final = (
    *(f"{part}.port{kind}" for part in _PARTS for kind in ("", ".grpc")),
    *("s3.port.iceberg", "s3.port.lance", "webdav.port"),
)
_PAGE: Final = (ROOT.parent / "docs" / "guide" / "bucket.md").read_text("utf-8")


def _line(command: str) -> str:
    """Return the line of the page that has a command."""
    [found] = re.findall(rf"^\$ (.*{re.escape(command)}.*)$", _PAGE, re.MULTILINE)
    return str(found)


def _is_up(url: str) -> bool:
    try:
        return httpx.get(url, timeout=HANGING).status_code < 500
    except httpx.TransportError:
        return False


async def test_the_commands_for_a_bucket_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for assignment in shlex.split(_line("export AWS_"))[1:]:
        monkeypatch.setenv(*assignment.split("=", 1))
    monkeypatch.setenv("PATH", f"{Path(COMMAND[0]).parent}:{os.environ['PATH']}")
    (tmp_path / "photo.jpg").write_bytes(b"a photo")
    ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))  # the usual ones may be in use here
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{ports['s3.port']}")
    options = " ".join(f"-{name}={port}" for name, port in ports.items())
    start = f"{_line('weed mini').removesuffix(' &').replace('&& weed', '&& exec weed')} {options}"
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(start, shell=True, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
    try:
        await eventually(lambda: _is_up(os.environ["AWS_ENDPOINT_URL"]))
        _, *put = shlex.split(_line("put photo.jpg"))
        assert finished(*put, cwd=tmp_path).stdout == "photo.jpg\t/photo.jpg\n"
        _, _, url = shlex.split(_line("serve s3://"))
        async with serving(url) as command:
            assert command.get("/photo.jpg").content == b"a photo"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(HANGING)
        remove_sockets(ports.values())
