"""HAProxy in front of `serve`: it names its clients in a PROXY header or in fields of the request."""

import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import segno
from harness.ports import reserved_port
from harness.waiting import HANGING, eventually

from tools.command import Command, serving
from tools.programs import need

CLIENT: Final = "127.0.0.2"  # the address of the client; HAProxy has 127.0.0.1, which is trusted
CONFIGURATION: Final = """
defaults
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen in_front
    bind 127.0.0.1:{port}
    {mode}
    server serve 127.0.0.1:{target} source 127.0.0.1 {options}
"""
FIELDS: Final = """mode http
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Forwarded-Host files.example"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a file."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.txt").write_text("content")
    return tree


@asynccontextmanager
async def haproxy(folder: Path, command: Command, mode: str, options: str = "") -> AsyncIterator[str]:
    """Run HAProxy in front of a server; yield its URL."""
    with reserved_port() as port:
        text = CONFIGURATION.format(port=port, target=command.server.port, mode=mode, options=options)
        (folder / "haproxy.cfg").write_text(text)
        process = subprocess.Popen([need("haproxy"), "-q", "-db", "-f", str(folder / "haproxy.cfg")])
        try:
            await eventually(lambda: _is_there(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def _is_there(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/-/healthy", timeout=HANGING)
    except httpx.TransportError:
        return False
    return True


async def _asked(command: Command, url: str) -> tuple[httpx.Response, dict[str, Any]]:
    """Ask from the address of the client; return the response and its line in the access log."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address=CLIENT), timeout=HANGING) as client:
        response = client.get(url, headers={"X-Forwarded-For": "192.0.2.66"})
    await eventually(lambda: _records(command, url))
    return response, _records(command, url)[0]


def _records(command: Command, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [json.loads(line) for line in command.log]
    return [record for record in found if url.endswith(record["target"])]


def _qr_code(url: str) -> bytes:
    drawn = BytesIO()
    segno.make_qr(url, error="m").save(drawn, kind="svg", scale=8, border=4, light="#fff", xmldecl=False)
    return drawn.getvalue()


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2"])
async def test_the_client_of_a_proxy_header_is_in_the_access_log(tree: Path, tmp_path: Path, option: str) -> None:
    options = ("--trusted-proxies", "127.0.0.1", "--proxy-protocol", "--access-log", "json")
    async with (
        serving(tree, *options) as command,
        haproxy(tmp_path, command, "mode tcp", option) as url,
    ):
        response, record = await _asked(command, f"{url}/a.txt")
        assert (response.text, record["client"]) == ("content", CLIENT)


async def test_the_client_of_a_field_is_in_the_access_log_and_its_host_in_links(tree: Path, tmp_path: Path) -> None:
    async with (
        serving(tree, "--trusted-proxies", "127.0.0.1", "--access-log", "json") as command,
        haproxy(tmp_path, command, FIELDS) as url,
    ):
        response, record = await _asked(command, f"{url}/a.txt?qr")
        assert record["client"] == CLIENT
        assert response.content == _qr_code("https://files.example/a.txt")
