"""`async-downloads completion`: bash completes commands, options and file names with the script."""

import os
import pty
import subprocess
import sysconfig
from pathlib import Path

import pytest
from harness.waiting import HANGING
from tools.command import environment, finished
from tools.programs import need

SCRIPTS = sysconfig.get_path("scripts")


@pytest.fixture
def typed(tmp_path: Path) -> str:
    """Type the beginnings of three commands, with a tab after each, into bash; return all that it prints."""
    (tmp_path / "unusual name.txt").touch()
    beginnings = ["async-downloads se", "async-downloads get --input-f", "async-downloads serve unu"]
    # After the tab, the keys to the begin and to the end of the line make it the text of an `echo`.
    keys = ['PS1=; eval "$(async-downloads completion bash)"\n', *(f"{each}\t\x01echo '\x05'\n" for each in beginnings)]
    return _bash("".join([*keys, "exit\n"]), tmp_path)


def _bash(keys: str, folder: Path) -> str:
    """Run an interactive bash on a terminal; return what it prints."""
    ours, theirs = pty.openpty()
    env = environment({"PATH": f"{SCRIPTS}:{os.environ['PATH']}", "TERM": "dumb", "HISTFILE": "/dev/null"})
    shell = subprocess.Popen(
        [need("bash"), "--norc", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=env,
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, keys.encode())
    printed = b""
    while chunk := _read(ours):
        printed += chunk
    os.close(ours)
    assert shell.wait(HANGING) == 0
    return printed.decode()


def _read(terminal: int) -> bytes:
    """Return the next bytes; none if the other side is closed, which Linux reports as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def test_bash_completes_commands_options_and_file_names(typed: str) -> None:
    lines = [line.strip() for line in typed.splitlines()]
    assert "async-downloads serve" in lines
    assert "async-downloads get --input-file" in lines
    assert r"async-downloads serve unusual\ name.txt" in lines


@pytest.mark.parametrize(("shell", "mention"), [("zsh", "#compdef async-downloads"), ("fish", "complete --no-files")])
def test_each_shell_has_a_script(shell: str, mention: str) -> None:
    ended = finished("completion", shell)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert mention in ended.stdout


def test_another_shell_is_refused() -> None:
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in finished("completion", "tcsh").stderr
