"""The documentation is true: each page is run from its first block to its last, in a folder with sample files.

- The commands of a ```console block follow `$ ` and run in one shell; `> ` continues a command. Each must succeed.
  The other lines must be printed in this order. Numbers with a point and ids may be others, and `…` is any text.
- A command that serves, such as `async-downloads serve`, runs in the background until the next one, or until the page
  ends; with ` &` at its end, until the page ends. The ports that a page names are replaced by free ones.
- A block whose first line is a comment with a file's name, `# app.py`, is saved under that name. A later command must
  name the file (of a Python file the module).
- Any other ```python block is a program that is run. A ```text block directly below it is its output.
- ```text, ```json, ```http and ```html only show something; directives such as {literalinclude} include tested files.
- `<!-- run: COMMAND -->` is a command that readers do not see.
- `<!-- not run: REASON -->` before a block says why it cannot be run here. The list NOT_RUN has all of these.

In place of `postgresql://localhost/files` and `s3://files` the pages use servers of the tests.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from harness.ports import reserved_port
from tools.programs import need

from async_downloads.site.samples import make_pdf

from .page import DOCS, PAGES, Command, File, NotRun, Program, Step, steps
from .shell import Shell, assert_shown, shell

# The reasons why blocks are not run, by page. A person has run each block, or another test runs the same.
NOT_RUN: Final = {
    "tutorial.md": ["a test must not install packages"] * 3,  # venv, uv, pipx
    "guide/bucket.md": ["starts a store"],  # tests/tools/test_docs_bucket.py runs it
    "performance.md": ["takes hours"],
    "recipes/docker.md": ["needs Docker"] * 2,
    "recipes/systemd.md": ["a test must not change the system"] * 2,
}
_PORT: Final = re.compile(r"(?:(?:127\.0\.0\.1|localhost):|(?:-p|--port|--metrics-bind|http\.server) )([0-9]{4,5})\b")
# Commands that serve until they are stopped, each with the option for its port.
_SERVERS: Final = {
    "async-downloads serve": "--port ",
    "async-downloads run": "--port ",
    "async-downloads demo": "--port ",
    "flask run": "--port ",
    "granian": "--port ",
    "hypercorn": "--bind 127.0.0.1:",
    "litestar run": "--port ",
    "python3 -m http.server": "",
    "quart run": "--port ",
    "uvicorn": "--port ",
}
_LISTENS: Final = re.compile(r"(?:--bind 127\.0\.0\.1:|(?:-p|--port|http\.server) )([0-9]+)")
_SERVER: Final = re.compile(rf"(?:\w+=(?:'[^']*'|\S+) )*({'|'.join(map(re.escape, _SERVERS))})\b(?!.*--help)")
_WITH_STEPS: Final = [page for page in PAGES if list(steps((DOCS / page).read_text("utf-8")))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the sample files of the pages."""
    folder = tmp_path / "work"
    contents = {
        "report.pdf": make_pdf("Report", "A sample."),
        "notes.txt": b"one line of notes\n" * 50,
        "large.bin": bytes(range(256)) * 4096,
        "photos/beach.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><path d="M0 0h4"/></svg>\n',
        "photo.jpg": b"\xff\xd8\xff\xe0 as far as this goes",
    }
    for name, content in contents.items():
        for path in (folder / name, folder / "files" / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return folder


@dataclass(frozen=True, slots=True)
class _Here:
    """The text of a page with free ports, and servers that run here, in the place of those that it names."""

    text: str
    port: int
    """In the place of 8000, where a server listens if its command does not say."""


@pytest.fixture
def here(page: str, request: pytest.FixtureRequest) -> Iterator[_Here]:
    text = (DOCS / page).read_text("utf-8")
    if "postgresql://localhost/files" in text:
        url = request.getfixturevalue("postgres_url")
        text = text.replace(" postgresql://localhost/files", f" {shlex.quote(url)}")  # an argument of a command
        text = text.replace("postgresql://localhost/files", url)
    if re.search(r"s3://files\b", text):
        text = re.sub(r"s3://files\b", request.getfixturevalue("s3_url"), text)
    with ExitStack() as stack:
        free = {port: stack.enter_context(reserved_port()) for port in {"8000", *_PORT.findall(text)}}
        yield _Here(re.sub(rf"\b({'|'.join(free)})\b", lambda found: str(free[found[1]]), text), free["8000"])


@pytest.mark.parametrize("page", _WITH_STEPS)
def test_a_page_is_true(page: str, here: _Here, folder: Path) -> None:
    need("curl")
    todo = list(steps(here.text))
    assert [step.reason for step in todo if isinstance(step, NotRun)] == NOT_RUN.get(page, [])
    with shell(folder) as session:
        _Reader(session, folder, here.port).follow(todo)


def test_the_list_of_blocks_that_are_not_run_names_pages() -> None:
    assert set(NOT_RUN) <= set(_WITH_STEPS)


class _Reader:
    """Does what a page says. It remembers the ids that the programs print."""

    def __init__(self, session: Shell, folder: Path, port: int) -> None:
        self._session = session
        self._folder = folder
        self._port = port
        self._ids: dict[str, str] = {}

    def follow(self, todo: Sequence[Step]) -> None:
        for index, step in enumerate(todo):
            match step:
                case File():
                    self._save(step, todo[index:])
                case Program():
                    assert_shown(step.shown, self._session.run(f"python3 -c {shlex.quote(step.text)}"))
                case Command():
                    self._enter(step)

    def _save(self, file: File, following: Sequence[Step]) -> None:
        path = self._folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)
        commands = [step.text for step in following if isinstance(step, Command)]
        used = path.stem if path.suffix == ".py" else path.name
        assert any(used in command for command in commands), f"line {file.line}: no command uses {file.name}"

    def _enter(self, command: Command) -> None:
        text = command.text
        for shown, printed in self._ids.items():
            text = text.replace(shown, printed)
        if server := _SERVER.match(text):
            self._serve(text, _SERVERS[server[1]], command.shown)
        else:
            self._ids |= assert_shown(command.shown, self._session.run(text))

    def _serve(self, text: str, option: str, shown: Sequence[str]) -> None:
        stays = text.endswith(" &")
        text = text.removesuffix(" &")
        ports = _LISTENS.findall(text)
        arguments = "" if ports else f" {option}{self._port}"
        self._session.serve(text + arguments, ports[0] if ports else str(self._port), shown, stays=stays)
