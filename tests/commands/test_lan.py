"""`serve --lan`: other machines can connect; the URLs and a QR code say how."""

import os
import pty
import select
import signal
import socket
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from harness.ports import reserved_port
from harness.waiting import HANGING, eventually
from tools.command import COMMAND, Command, environment, refusal, running

_HALF_BLOCKS = set("█▀▄")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a file."""
    (tmp_path / "a.txt").write_text("a")
    return tmp_path


def _opened(command: Command) -> list[str]:
    """Return the text of a file at each of the URLs."""
    return [httpx.get(f"{url}a.txt", timeout=HANGING).text for url in command.urls]


async def test_every_url_can_be_opened(tree: Path) -> None:
    with reserved_port() as port:
        async with running("serve", tree, "--lan", "-p", port) as command:
            assert _opened(command) == ["a"] * len(command.urls)
            assert f"http://127.0.0.1:{port}/" in command.urls
            assert f"http://[::1]:{port}/" in command.urls
            assert len(set(command.urls)) == len(command.urls)
            assert _HALF_BLOCKS.isdisjoint(command.stdout), "standard output is no terminal"


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "[::]:0"])
async def test_an_address_that_means_all_is_shown_as_all_of_them(tree: Path, bind: str) -> None:
    async with running("serve", tree, "-b", bind) as command:
        assert _opened(command) == ["a"] * len(command.urls)
        assert "://0.0.0.0" not in command.stdout
        assert "://[::]" not in command.stdout


async def test_a_qr_code_is_printed_on_request_for_other_machines_only(tree: Path) -> None:
    with reserved_port() as port:
        async with running("serve", tree, "--lan", "--qr", "-p", port, env={"PYTHONIOENCODING": "utf-8"}) as command:
            await eventually(lambda: set(command.stdout) >= _HALF_BLOCKS)
        async with running("serve", tree, "--qr", "-b", "127.0.0.1:0") as command:
            assert _HALF_BLOCKS.isdisjoint(command.stdout)


def _on_a_terminal(tree: Path, *options: object, until: str, encoding: str) -> str:
    """Run `serve` on a terminal, and end it when it has printed a text; return all that it printed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "serve", tree, *map(str, options)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment({"PYTHONIOENCODING": encoding}),
    )
    os.close(theirs)
    printed = b""
    try:
        while until.encode() not in printed:
            assert select.select([ours], [], [], HANGING)[0], printed
            printed += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(HANGING) == 0
        while select.select([ours], [], [], 0)[0]:
            printed += os.read(ours, 65536)
    except OSError:  # the terminal is gone with the process
        pass
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return printed.decode()


@pytest.mark.parametrize(
    ("encoding", "drawn"),
    [pytest.param("utf-8", "▄", id="half-blocks"), pytest.param("ascii", "\x1b[7m", id="colours")],
)
def test_a_terminal_gets_a_qr_code(tree: Path, encoding: str, drawn: str) -> None:
    with reserved_port() as port:
        printed = _on_a_terminal(tree, "--lan", "-p", port, until=drawn, encoding=encoding)
        assert drawn in printed
        assert drawn not in _on_a_terminal(tree, "--no-qr", "-b", "127.0.0.1:0", until="stop)", encoding=encoding)


def test_the_address_is_not_named_twice(tree: Path) -> None:
    assert "--bind and --lan both set the address" in refusal("serve", tree, "--lan", "-b", "127.0.0.1:0")


async def test_an_address_without_a_port_has_the_default_port(tree: Path) -> None:
    for bind, shown in (("127.0.0.1", "127.0.0.1:8000"), ("::1", "[::1]:8000")):
        with ExitStack() as stack:
            with suppress(OSError):  # another program may listen there: then the port is in use, too
                family = socket.AF_INET6 if ":" in bind else socket.AF_INET
                stack.enter_context(socket.create_server((bind, 8000), family=family))
            assert f"cannot listen on {shown}: " in refusal("serve", tree, "-b", bind)


@pytest.mark.parametrize("command", [("serve", "."), ("run", "a:app"), ("demo",)], ids=lambda command: command[0])
def test_a_busy_port_is_refused_with_the_next_free_one(tree: Path, command: tuple[str, ...]) -> None:
    (tree / "a.py").write_text("async def app(scope, receive, send): ...\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        line = refusal(*command, "-p", port, cwd=tree)
    beginning = f"async-downloads: cannot listen on 127.0.0.1:{port}: Address already in use (port "
    assert line.startswith(beginning)
    assert port < int(line.removeprefix(beginning).removesuffix(" is free)")) <= port + 100


def test_the_last_port_has_no_next_one(tree: Path) -> None:
    with socket.create_server(("127.0.0.1", 65535)):
        assert refusal("serve", tree, "-p", "65535").endswith("127.0.0.1:65535: Address already in use")
