"""A server that systemd has started, with a manager's socket of the test or with systemd's own program."""

import re
import signal
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from harness.ports import reserved_port
from harness.waiting import HANGING, eventually
from tools.command import COMMAND, environment, running, serving
from tools.programs import need

_URL = re.compile(r"on (\S+) \(press Ctrl-C to stop\)")


class _Manager:
    """A service manager, and what the service has reported."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.reports: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.setblocking(False)

    def has(self, report: str, count: int = 1) -> bool:
        """Read what has come; return whether a state was reported that often."""
        try:
            while True:
                self.reports.append(self._socket.recv(100).decode())
        except BlockingIOError:
            return self.reports.count(report) >= count

    def close(self) -> None:
        """Be gone."""
        self._socket.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with a file."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.txt").write_text("here\n")
    return tree


@pytest.mark.parametrize(("kind", "workers"), [("path", 1), ("abstract", 2)])
async def test_a_service_is_ready_alive_and_stopping(tree: Path, tmp_path: Path, kind: str, workers: int) -> None:
    address = str(tmp_path / "notify") if kind == "path" else f"@{tmp_path}"
    variables = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
    with closing(_Manager(address)) as manager:
        await _lives(tree, manager, variables, workers)


async def _lives(tree: Path, manager: _Manager, variables: dict[str, str], workers: int) -> None:
    async with serving(tree, "-w", workers, env=variables) as command:
        await eventually(lambda: manager.has("WATCHDOG=1", 3))
        assert [report for report in manager.reports if report != "WATCHDOG=1"] == ["READY=1"]
        assert command.get("/a.txt").text == "here\n"
        command.process.terminate()
        assert await command.ended() == 0
        assert manager.has("STOPPING=1")
        assert command.stderr == ""


async def test_a_manager_that_is_gone_costs_nothing(tree: Path, tmp_path: Path) -> None:
    manager = _Manager(str(tmp_path / "notify"))
    async with serving(tree, env={"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "100000"}) as command:
        await eventually(lambda: manager.has("READY=1"))
        manager.close()
        assert command.get("/a.txt").text == "here\n"
        command.process.terminate()
        assert (await command.ended(), command.stderr) == (0, "")


@pytest.mark.parametrize("bind", [(), ("-p", "0")], ids=["by default", "not beside --port"])
async def test_an_inherited_socket_is_used(tree: Path, bind: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, fd = listener.getsockname()[1], listener.fileno()
        script = f'exec 3<&{fd} {fd}<&-; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
        shell = ("bash", "-c", script, "bash", *COMMAND)
        async with running("serve", tree, *bind, command=shell, pass_fds=(fd,)) as command:
            assert (command.server.port == port) is (not bind)
            assert command.get("/a.txt").text == "here\n"
            command.process.terminate()
            assert await command.ended() == 0


async def test_systemd_starts_the_server_at_the_first_connection(tree: Path, tmp_path: Path) -> None:
    activate, output = need("systemd-socket-activate"), tmp_path / "output"
    with reserved_port() as port, output.open("wb") as log:
        command = [activate, "-l", f"127.0.0.1:{port}", *COMMAND, "serve", str(tree)]
        with subprocess.Popen(command, stdout=log, stderr=log, env=environment(), start_new_session=True) as process:
            try:
                await eventually(lambda: "Listening on" in output.read_text())
                response = httpx.get(f"http://127.0.0.1:{port}/a.txt", timeout=HANGING)
                assert (response.text, response.headers["content-type"]) == ("here\n", "text/plain; charset=utf-8")
                process.send_signal(signal.SIGTERM)
                assert process.wait(HANGING) == 0
            finally:
                process.kill()
