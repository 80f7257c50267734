"""`run`: any ASGI app on the server of `serve`."""

import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from harness.waiting import HANGING, eventually
from tools.command import ANY_PORT, COMMAND, Command, environment, finished, running

from async_downloads.sending import ZERO_COPY_SEND

QUART = """
from quart import Quart
from async_downloads.quart import init_app, send_from_directory

app = Quart(__name__)
init_app(app)

@app.before_serving
async def start():
    with open("phases", "a") as phases:
        phases.write("start ")

@app.after_serving
async def stop():
    with open("phases", "a") as phases:
        phases.write("stop ")

@app.get("/files/<path:name>")
async def files(name):
    return await send_from_directory(".", name)

class Recorded:
    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        async def note(message):
            with open("kinds", "a") as kinds:
                kinds.write(message["type"] + "\\n")
            await send(message)
        await self.inner(scope, receive, note)

app.asgi_app = Recorded(app.asgi_app)
"""

PLAIN = """
import os

class Api:
    async def app(self, scope, receive, send):
        assert scope["type"] == "http", "no lifespan"
        text = f"{os.getpid()} {scope['type']} {scope['path']}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
        await send({"type": "http.response.body", "body": text})

api = Api()
number = 1

def wsgi(environ, start_response):
    return []

def create_app(name="", debug=False):
    return api.app

def create_number():
    return number
"""

FAILING = """
async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of apps, and the files that they serve."""
    for name, text in {"shop": QUART, "plain": PLAIN, "failing": FAILING, "broken": "import no_such_module"}.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


@asynccontextmanager
async def started(folder: Path, *arguments: object) -> AsyncIterator[Command]:
    """Run an app of the folder until the end of the block."""
    async with running("run", *arguments, *ANY_PORT, cwd=folder) as command:
        yield command


async def test_a_file_of_a_quart_view_is_sent_by_the_kernel(folder: Path, content: bytes) -> None:
    (folder / "large.bin").write_bytes(content)
    async with started(folder, "shop:app", "--access-log", "text") as command:
        whole = command.get("/files/large.bin")
        part = httpx.get(f"{command.url}/files/large.bin", headers={"Range": "bytes=5-9"}, timeout=HANGING)
        command.process.terminate()
        assert await command.ended() == 0
        assert " 200 4194304 bytes whole " in command.log[0]
    assert (whole.content == content, part.content) == (True, content[5:10])
    assert ZERO_COPY_SEND in (folder / "kinds").read_text().split()
    assert (folder / "phases").read_text() == "start stop "


async def test_an_app_without_a_lifespan_runs_in_several_processes(folder: Path) -> None:
    async with started(folder, "plain:api.app", "--workers", "2") as command:
        await eventually(lambda: len(command.children) == 2)
        pid, kind, path = command.get("/a%20b").text.split(maxsplit=2)
        assert (int(pid) in command.children, kind, path) == (True, "http", "/a b")
        assert command.get("/-/healthy").text == "ok\n"
        command.process.terminate()
        assert await command.ended() == 0


async def test_an_app_is_made_by_a_function(folder: Path) -> None:
    async with started(folder, "plain:create_app()") as command:
        assert command.get("/x").text.endswith(" http /x")


async def test_a_websocket_is_a_plain_request_to_the_app(folder: Path) -> None:
    fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    async with started(folder, "plain:api.app") as command:
        response = httpx.get(
            command.url, headers=fields | {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}, timeout=HANGING
        )
        assert (response.status_code, response.text.split()[1]) == (200, "http")


async def test_an_app_is_served_over_tls(folder: Path, certificate: tuple[Path, Path]) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    options = ("--certfile", certificate[0], "--keyfile", certificate[1])
    async with started(folder, "plain:api.app", *options) as command:
        assert httpx.get(f"{command.url}/x", verify=trusted, timeout=HANGING).text.endswith(" http /x")


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("shop", "'shop' does not name an app: write MODULE:APP, such as shop:app"),
        ("shop.py", "'shop.py' does not name an app: write MODULE:APP, such as shop:app"),
        ("nowhere:app", f"there is no module nowhere in this folder or in {sys.prefix}"),
        ("plain.inside:app", f"there is no module plain.inside in this folder or in {sys.prefix}"),
        ("plain:nothing", "the module plain has no variable nothing"),
        ("plain:number", "plain:number is not an ASGI app"),
        ("plain.py:app", "'plain.py:app' names a file: write plain:app"),
        ("./plain:app", "'./plain:app' names a file: write plain:app"),
        ("plain:number()", "plain:number is not a function"),
        ("plain:create_number()", "plain:create_number() is not an ASGI app"),
        ("plain:nothing()", "the module plain has no variable nothing"),
        ("plain:create_app", "plain:create_app is not an ASGI app; if it returns one, write 'plain:create_app()'"),
        ("plain:wsgi", "plain:wsgi is a WSGI app, but run needs an ASGI app, such as one of Quart or FastAPI"),
    ],
)
def test_what_is_no_app_is_one_line(folder: Path, app: str, said: str) -> None:
    ended = finished("run", app, *ANY_PORT, cwd=folder)
    assert (ended.returncode, ended.stderr) == (2, f"async-downloads: {said}\n")


def test_an_error_in_the_module_has_a_traceback_of_the_module_alone(folder: Path) -> None:
    command = [*COMMAND, "run", "broken:app", *ANY_PORT]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment(), check=False)
    beginning, place, *_, reason = ended.stderr.splitlines()
    assert (ended.returncode, beginning) == (1, "Traceback (most recent call last):")
    assert place == f'  File "{folder / "broken.py"}", line 1, in <module>'
    assert reason == "ModuleNotFoundError: No module named 'no_such_module'"


def test_an_app_that_cannot_start_ends_the_server(folder: Path) -> None:
    ended = finished("run", "failing:app", *ANY_PORT, cwd=folder)
    assert (ended.returncode, ended.stderr) == (1, "async-downloads: the app cannot start: no database\n")


def test_the_address_must_be_free(folder: Path) -> None:
    (folder / "file").touch()
    ended = finished("run", "plain:api.app", "--bind", f"unix:{folder / 'file'}", cwd=folder)
    assert ended.returncode == 2
    assert os.strerror(17) in ended.stderr
