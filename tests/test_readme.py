"""README is true: each of its snippets is run."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from harness.ports import reserved_port
from harness.served import hypercorn
from harness.threaded import threaded
from quart import Quart
from tools.command import ANY_PORT, COMMAND, environment, running
from tools.databases import postgres as postgres  # noqa: PLC0414
from tools.databases import ran
from tools.programs import need

from async_downloads import DirectoryStore, Downloads

README = Path(__file__).parents[1] / "README.md"
Printed = Callable[[], str]
SNIPPETS = re.findall(r"^```(\w+)\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def _commands(first: str) -> list[list[str]]:
    """Return the commands of the console snippet that begins with `first`, each as a list of words."""
    consoles = [
        [shlex.split(line[2:]) for line in text.splitlines() if line.startswith("$ ")]
        for language, text in SNIPPETS
        if language == "console"
    ]
    [found] = [commands for commands in consoles if shlex.join(commands[0]).startswith(first)]
    return found


def _module(mention: str, folder: Path) -> ModuleType:
    """Save the Python snippet that contains `mention` in a folder, and import it."""
    [text] = [text for language, text in SNIPPETS if language == "python" and mention in text]
    path = folder / "snippet.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("snippet", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["snippet"] = module  # Quart asks it where its folder is
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for name, count in {"report.pdf": 100, "large.bin": 10_000, "notes.txt": 100}.items():
        (folder / name).write_bytes(name.encode() * count)
    return folder


async def test_a_folder_is_served_as_shown(files: Path, tmp_path: Path) -> None:
    need("curl")
    serve, *downloads = _commands("async-downloads serve ./files")
    assert len(downloads) == 3
    async with running(*serve[1:], *ANY_PORT, cwd=tmp_path) as command:
        for words in downloads:
            here = [word.replace("http://127.0.0.1:8000", command.url) for word in words]
            done = subprocess.run([*here, "--silent", "--fail"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "report.pdf").read_bytes() == (files / "report.pdf").read_bytes()
    assert (tmp_path / "large.bin").read_bytes() == (files / "large.bin").read_bytes()
    assert done.stdout == (files / "notes.txt").read_bytes()[-10:]


async def test_files_are_shared_as_shown(files: Path) -> None:
    [[_, *words]] = _commands("async-downloads serve report.pdf")
    (files / "photos").mkdir()
    with reserved_port() as port:
        async with running(*words, "-p", port, cwd=files) as command:
            assert command.stdout.startswith("Serving report.pdf, photos on http://")
            entries = command.get("/?json").json()["entries"]
    assert [entry["name"] for entry in entries] == ["photos", "report.pdf"]


async def test_files_are_downloaded_as_shown(files: Path, tmp_path: Path) -> None:
    [text] = [text for language, text in SNIPPETS if language == "console" and "$ async-downloads get" in text]
    shown = [line for line in text.splitlines() if not line.startswith("$ ")]
    async with running("serve", files, *ANY_PORT) as command:
        lines = re.findall(r"^\$ (.*)$", text.replace("http://127.0.0.1:8000", command.url), re.MULTILINE)
        env = environment({"PATH": f"{Path(*COMMAND).parent}:{os.environ['PATH']}"})
        shell = ["sh", "-ec", "\n".join(lines)]
        ended = subprocess.run(shell, cwd=tmp_path, env=env, check=True, capture_output=True, text=True)
    assert ended.stdout.strip() == "900"
    assert [_without_amounts(line) for line in ended.stderr.splitlines()[:2]] == [
        _without_amounts(line) for line in shown
    ]
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if files not in path.parents}
    saved = {"copy.pdf", *(f"downloads/{name}" for name in ("large.bin", "notes.txt", "report.pdf"))}
    copied = {"copy/large.bin", "copy/notes.txt"}
    assert names == saved | copied | {"files", "downloads", "copy", "urls.txt"}
    assert (tmp_path / "copy.pdf").read_bytes() == (files / "report.pdf").read_bytes()


def _without_amounts(text: str) -> str:
    return re.sub(r"[\d.]+ (bytes|s\b|[kMG]?B\b)", "…", text)


@pytest.fixture
def program(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Printed:
    """Return a function that runs the program of README against a server of those files and returns its output."""
    monkeypatch.chdir(tmp_path)
    [text] = [text for language, text in SNIPPETS if language == "python" and "async_downloads.client" in text]

    def run() -> str:
        with threaded(hypercorn(Downloads(DirectoryStore(files)))) as server:
            exec(compile(text.replace("http://127.0.0.1:8000", server.url), "README.md", "exec"), {})
        return capsys.readouterr().out

    return run


def test_a_program_downloads_as_shown(program: Printed, files: Path, tmp_path: Path) -> None:
    assert program() == "(90000, [900])\n"
    assert (tmp_path / "large.bin").read_bytes() == (files / "large.bin").read_bytes()


def test_a_program_prints_why_a_download_failed(program: Printed, files: Path) -> None:
    (files / "large.bin").unlink()
    assert program() == "the server responded 404 Not Found (exit code 8)\n"


async def test_the_announcement_is_the_one_shown(files: Path, tmp_path: Path) -> None:
    serve, *_ = _commands("async-downloads serve ./files")
    async with running(*serve[1:], *ANY_PORT, cwd=tmp_path) as command:
        shown = command.stdout.splitlines()[0].replace(command.url, "http://127.0.0.1:8000")
    assert shown in README.read_text(encoding="utf-8").splitlines()


@pytest.fixture(params=["sqlite:///files.db", "postgresql://localhost/files"])
def database(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The URL of a database in README, and the URL that the test uses instead."""
    shown: str = request.param
    return shown, shown if shown.startswith("sqlite") else request.getfixturevalue("postgres")


async def test_files_of_a_database_are_served_as_shown(database: tuple[str, str], files: Path, tmp_path: Path) -> None:
    need("curl")
    shown, url = database
    init, put, serve, curl = _commands(f"async-downloads db init --database {shown}")
    init, put, serve = [[url if word == shown else word for word in words[1:]] for words in (init, put, serve)]
    (tmp_path / "report.pdf").write_bytes(b"%PDF, as far as this goes")
    assert ran(*init, url=url, cwd=tmp_path) == ""
    public, path = ran(*put, url=url, cwd=tmp_path).split()
    target = _printed_by("put report.pdf").split()[1]
    (tmp_path / "fetched").mkdir()
    async with running(*serve, *ANY_PORT, cwd=tmp_path) as command:
        here = [word.replace(f"http://127.0.0.1:8000{target}", command.url + path) for word in curl]
        subprocess.run([*here, "--silent", "--fail"], cwd=tmp_path / "fetched", check=True, capture_output=True)
    assert path == f"/files/download/{public}"
    assert (tmp_path / "fetched" / "copy.pdf").read_bytes() == b"%PDF, as far as this goes"


def _printed_by(command: str) -> str:
    """Return the line below a command; it is the same wherever README shows the command."""
    [found] = {line for _, text in SNIPPETS for line in re.findall(rf"{command}.*\n(.*)\n", text)}
    return str(found)


async def test_the_ported_views_respond(tmp_path: Path) -> None:
    for name in ("reports/2026/may.txt", "static/logo.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    app = _module("init_app(app)", tmp_path).app
    assert isinstance(app, Quart)
    report = await app.test_client().get("/reports/2026/may.txt")
    logo = await app.test_client().get("/logo", headers={"Range": "bytes=0-5"})
    assert report.headers["Content-Disposition"] == "attachment; filename=may.txt"
    assert (await logo.get_data(), logo.status_code) == (b"static", 206)
    assert logo.headers["Cache-Control"] == "public, max-age=3600"


async def test_the_mounted_app_responds(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    transport = httpx.ASGITransport(_module("Downloads(DirectoryStore", tmp_path).app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.get("/notes.txt")
    assert response.content == (files / "notes.txt").read_bytes()
    assert response.headers["Cache-Control"] == "public, max-age=60"


@pytest.mark.parametrize(
    "rest", ["'.[demo]' && .venv/bin/async-downloads demo", "-e '.[test]' && .venv/bin/pytest -n auto"]
)
def test_a_set_up_command_makes_its_own_environment(rest: str) -> None:
    [line] = [line for _, text in SNIPPETS for line in text.splitlines() if line.endswith(rest)]
    assert line == f"$ python3 -m venv .venv && .venv/bin/pip install {rest}"
