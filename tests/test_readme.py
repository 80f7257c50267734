"""README is true: its blocks are pasted into one shell, one after the other, and its links lead somewhere."""

import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from harness.ports import reserved_port
from harness.waiting import HANGING
from tools.command import environment
from tools.programs import need

ROOT: Final = Path(__file__).parents[1]
README: Final = ROOT / "README.md"
TEXT: Final = README.read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMPARISON: Final = ROOT / "docs" / "comparison.md"
_COPIED: Final = ("async_downloads", "docs", "LICENSE", "README.md", "pyproject.toml")  # what pip needs


@dataclass(frozen=True, slots=True)
class Session:
    """A shell into which the blocks of README were pasted, and what it printed."""

    folder: Path
    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Paste all blocks into a shell in a copy of the repository, with free ports in the place of those shown."""
    need("curl")
    folder = tmp_path_factory.mktemp("clone")
    for name in _COPIED:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, folder / name)
    with ExitStack() as stack:
        text = "".join(BLOCKS).replace("serve files &", "serve files -p 8000 &")
        for port in sorted(set(re.findall(r"\b80\d\d\b", text))):
            text = text.replace(port, str(stack.enter_context(reserved_port())))
        yield _pasted(text, folder)


def _pasted(text: str, folder: Path) -> Session:
    """Run the text in a shell that ends at the first command which fails, and end all that it started."""
    command = ["bash", "--norc", "-ec", text]
    with open(folder / "stdout", "w+b") as stdout, open(folder / "stderr", "w+b") as stderr:
        shell = subprocess.Popen(
            command, cwd=folder, env=_environment(), stdout=stdout, stderr=stderr, start_new_session=True
        )
        try:
            exit_code = shell.wait(timeout=2 * HANGING)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    return Session(folder, exit_code, (folder / "stdout").read_text(), (folder / "stderr").read_text())


def _environment() -> dict[str, str]:
    """Return variables with which pip finds all that README installs here, so that it downloads nothing."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    pip = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}  # 0 means: without isolation
    return environment({**pip, "PATH": path, "PYTHONPATH": packages, "PYTHONWARNINGS": "default"})


def test_the_blocks_can_be_pasted_one_after_the_other(session: Session) -> None:
    assert session.exit_code == 0, session.stderr
    assert "Traceback" not in session.stderr, session.stderr


def test_the_files_that_the_blocks_download_are_complete(session: Session) -> None:
    large = (session.folder / "files/large.bin").read_bytes()
    assert len(large) == 25_000_000
    assert (session.folder / "copy.bin").read_bytes() == large
    assert (session.folder / "report.bin").read_bytes() == large
    with zipfile.ZipFile(session.folder / "files.zip") as archive:
        assert sorted(Path(name).name for name in archive.namelist()) == ["hello.txt", "large.bin"]
        assert archive.testzip() is None


def test_the_blocks_print_what_curl_and_the_quart_app_send(session: Session) -> None:
    assert re.findall(r"^(?:Hello, )?world$", session.stdout, re.MULTILINE) == ["world", "Hello, world"]


def test_readme_has_five_blocks_and_at_most_900_words_outside_of_its_table() -> None:
    assert len(BLOCKS) == 5
    assert sum(len(line.split()) for line in TEXT.splitlines() if not line.startswith("|")) <= 900


@pytest.mark.parametrize(
    "rest", ["'.[demo]' && .venv/bin/async-downloads demo", "-e '.[test]' && .venv/bin/pytest -n auto"]
)
def test_a_set_up_command_makes_its_own_environment(rest: str) -> None:
    assert f"$ python3 -m venv .venv && .venv/bin/pip install {rest}" in TEXT.splitlines()


def test_every_link_leads_to_a_file_of_the_repository_and_a_heading_in_it() -> None:
    links = [urlsplit(target) for target in re.findall(r"\]\(([^)]+)\)", TEXT)]
    local = [link for link in links if not link.scheme]
    assert len(local) > 20
    assert [link.path for link in local if not (ROOT / link.path).is_file()] == []
    assert [link for link in local if link.fragment and link.fragment not in _anchors(ROOT / link.path)] == []


def _anchors(page: Path) -> list[str]:
    """Return the names by which a link can lead to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]


def _rows(text: str) -> dict[str, dict[str, str]]:
    """Return the tables of features without the marks of notes: for each feature, the cells by program."""
    rows: dict[str, dict[str, str]] = {}
    for table in re.findall(r"^\| feature \|.*?\n\n", text, re.MULTILINE | re.DOTALL):
        lines = re.sub("[¹²³⁴⁵⁶⁷⁸⁹]", "", table).strip().split("\n")
        head, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
        rows |= {cells[0]: dict(zip(head[1:], cells[1:], strict=True)) for cells in body}
    return rows


def test_the_short_comparison_says_the_same_as_the_full_one() -> None:
    short, full = _rows(TEXT), _rows(COMPARISON.read_text(encoding="utf-8"))
    assert len(short) > 8
    assert [feature for feature, cells in short.items() if not cells.items() <= full[feature].items()] == []
