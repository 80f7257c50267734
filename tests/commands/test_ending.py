"""How `async-downloads serve` ends: running downloads continue, the time is limited, no process is left."""

import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from email.message import Message
from pathlib import Path
from random import Random

import httpx
import pytest
from harness.process import catches, descriptors
from harness.served import Connection
from harness.waiting import HANGING, eventually
from tools.command import ANY_PORT, COMMAND, Command, running, serving

# More than the kernel takes for a client that does not read.
_LARGE = 24 * 1024 * 1024

# The event loop prints a line for each connection that is dropped at the end.
_DROPPING = {"PYTHONWARNINGS": "error,ignore::ResourceWarning"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a file that takes several seconds to send."""
    tree = tmp_path_factory.mktemp("tree")
    (tree / "large.bin").write_bytes(Random(1).randbytes(_LARGE))
    (tree / "small.txt").write_text("small")
    return tree


@pytest.fixture(params=["1", "2"], ids=["one process", "two workers"])
async def command(request: pytest.FixtureRequest, tree: Path) -> AsyncIterator[Command]:
    """A server that gives downloads more time to end than any test takes."""
    async with serving(tree, "--workers", request.param, "--drain-timeout", "1000", env=_DROPPING) as command:
        yield command


async def _drains(command: Command) -> None:
    """Return when the server takes no new connections; only the worker with a download is left."""

    def is_closed() -> bool:
        if len(command.children) > 1:
            return False
        try:
            command.get("/-/healthy")
        except httpx.ConnectError:
            return True
        except httpx.TransportError:  # from a worker without a download, which ends at this moment
            pass
        return False

    await eventually(is_closed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_without_downloads_it_ends_at_once(command: Command, number: signal.Signals) -> None:
    assert command.get("/small.txt").text == "small"
    command.send(number)
    assert await command.ended() == 0
    assert command.stderr == ""


async def test_with_nohup_it_outlives_its_terminal(tree: Path) -> None:
    async with running("serve", tree, *ANY_PORT, command=("nohup", *COMMAND)) as command:
        command.send(signal.SIGHUP)
        assert not catches(command.process.pid, signal.SIGHUP)
        assert command.get("/small.txt").text == "small"
        command.send(signal.SIGTERM)
        assert await command.ended() == 0


async def test_a_signal_during_the_start_ends_it_cleanly(command: Command) -> None:
    command.send(signal.SIGTERM)  # as soon as its address can be read
    assert await command.ended() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_so_it_does_when_there_is_no_time(tree: Path, workers: str) -> None:
    async with serving(tree, "--workers", workers, "--drain-timeout", "0", env=_DROPPING) as command:
        command.send(signal.SIGTERM)
        assert await command.ended() == 0
        assert command.stderr == ""


async def test_a_connection_that_asks_nothing_does_not_hold_the_end(command: Command) -> None:
    async with command.server.connected() as idle, command.server.connected() as fresh:
        await idle.ask("/small.txt")
        assert (await idle.read_response())[0] == 200
        fresh.writer.write(b"GET /small.txt HTT")
        command.send(signal.SIGTERM)
        assert await command.ended() == 0


async def test_a_download_that_runs_is_completed_while_no_new_connections_are_accepted(command: Command) -> None:
    async with command.server.downloading("/large.bin") as download:
        command.send(signal.SIGTERM)
        await _drains(command)
        assert len(await download.reader.readexactly(_LARGE)) == _LARGE
        assert await command.ended() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_in_the_delay_before_the_draining_it_is_not_ready_and_serves_on(tree: Path, workers: str) -> None:
    options = ("--workers", workers, "--drain-delay", "1000", "--drain-timeout", "1000")
    async with serving(tree, *options, env=_DROPPING) as command, command.server.connected() as waiting:
        assert (await _ask(waiting, "/-/ready"))[0] == 200
        command.send(signal.SIGTERM)
        await eventually(
            lambda: command.stderr.count("accepting connections for 1000 s before the shutdown") == int(workers)
        )
        for connection in (waiting, None):
            async with command.server.connected() as fresh:
                for path, status in (("/-/ready", 503), ("/-/healthy", 200), ("/small.txt", 200)):
                    got, fields = await _ask(connection or fresh, path)
                    assert (got, fields["Connection"]) == (status, None)
        assert await _second_signal(command) == 0


async def test_when_the_delay_is_over_open_connections_get_one_more_response(tree: Path) -> None:
    async with serving(tree, "--drain-delay", "0.5", env=_DROPPING) as command:
        async with command.server.downloading("/large.bin") as download, command.server.connected() as open_one:
            began = time.monotonic()
            command.send(signal.SIGTERM)
            while (await _ask(open_one, "/small.txt"))[1]["Connection"] is None:
                assert time.monotonic() - began < HANGING
            assert time.monotonic() - began > 0.4
            assert await open_one.reader.read() == b""
            await _drains(command)
            assert len(await download.reader.readexactly(_LARGE)) == _LARGE
        assert await command.ended() == 0


async def test_connections_that_wait_to_be_accepted_are_served_before_the_address_is_closed(tree: Path) -> None:
    async with serving(tree) as command, AsyncExitStack() as stack:
        command.send(signal.SIGSTOP)
        waiting = [await stack.enter_async_context(command.server.connected()) for _ in range(20)]
        command.send(signal.SIGTERM)
        for connection in waiting:
            await connection.ask("/small.txt")
        command.send(signal.SIGCONT)
        found = [await connection.read_response() for connection in waiting]
        assert {(status, content) for status, _, content in found} == {(200, b"small")}
        assert await command.ended() == 0


async def _ask(connection: Connection, path: str) -> tuple[int, Message]:
    await connection.ask(path)
    return (await connection.read_response())[:2]


async def _second_signal(command: Command) -> int:
    signalled = time.monotonic()
    await eventually(lambda: time.monotonic() - signalled > 0.6)  # a terminal and the parent send one twice
    command.send(signal.SIGTERM)
    return await command.ended()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_stalled_client_delays_the_exit_only_by_the_drain_timeout(tree: Path, workers: str) -> None:
    options = ("--workers", workers, "--drain-timeout", "1")
    async with (
        serving(tree, *options, env=_DROPPING) as command,
        command.server.downloading("/large.bin") as stalled,
    ):
        began = time.monotonic()
        command.send(signal.SIGTERM)
        assert await command.ended(within=20) == 0  # without the option it would be half a minute
        assert time.monotonic() - began >= 0.9
        assert await _left_to_read(stalled) < _LARGE


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_with_no_time_to_drain_it_ends_at_once(tree: Path, workers: str) -> None:
    options = ("--workers", workers, "--drain-timeout", "0")
    async with serving(tree, *options, env=_DROPPING) as command, command.server.downloading("/large.bin") as stalled:
        command.send(signal.SIGTERM)
        assert await command.ended() == 0
        assert await _left_to_read(stalled) < _LARGE


async def test_a_file_can_say_that_there_is_no_time_to_drain(tree: Path, tmp_path: Path) -> None:
    config = tmp_path / "downloads.toml"
    config.write_text("drain-timeout = 0")
    async with serving(tree, "-c", config, env=_DROPPING) as command, command.server.downloading("/large.bin"):
        command.send(signal.SIGTERM)
        assert await command.ended(within=20) == 0  # without the option it would be half a minute


async def _left_to_read(connection: Connection) -> int:
    """Read until the connection ends, with or without an error, and return the number of bytes."""
    count = 0
    try:
        while chunk := await connection.reader.read(1 << 20):
            count += len(chunk)
    except ConnectionResetError:
        pass
    return count


_WAITING = "running: waiting up to 1000 s (press Ctrl-C again or send SIGTERM again to stop at once)"


async def test_it_says_how_many_downloads_are_running_and_how_long_it_waits(command: Command) -> None:
    async with command.server.downloading("/large.bin"):
        command.send(signal.SIGINT)
        await eventually(lambda: command.stderr.endswith("\n"))
        line = re.sub(r"worker \d+: ", "", command.stderr)
        assert line == f"async-downloads: 1 download is {_WAITING}\n"


async def test_it_counts_the_downloads(tree: Path) -> None:
    async with (
        serving(tree, "--drain-timeout", "1000", env=_DROPPING) as command,
        command.server.downloading("/large.bin"),
        command.server.downloading("/large.bin"),
    ):
        command.send(signal.SIGTERM)
        await eventually(lambda: command.stderr.endswith("\n"))
        assert command.stderr == f"async-downloads: 2 downloads are {_WAITING}\n"


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_second_signal_ends_it_at_once(tree: Path, workers: str) -> None:
    options = ("--workers", workers, "--drain-timeout", "1000")
    async with serving(tree, *options, env=_DROPPING) as command, command.server.downloading("/large.bin"):
        command.send(signal.SIGINT)
        await _drains(command)
        assert await _second_signal(command) == 0


async def test_two_signals_at_once_are_one(tree: Path) -> None:
    async with serving(tree) as command, command.server.downloading("/large.bin") as download:
        for number in (signal.SIGINT, signal.SIGTERM):
            command.send(number)
        await _drains(command)
        assert len(await download.reader.readexactly(_LARGE)) == _LARGE
        assert await command.ended() == 0


async def test_a_client_that_stalls_is_one_line_in_the_log_and_its_connection_goes(tree: Path) -> None:
    async with serving(tree, "--stall-timeout", "1", "--loop", "asyncio") as command:
        async with command.server.connected() as connection:
            await connection.ask("/small.txt")
            await connection.read_response()
            before = _sockets(command)
            await connection.ask("/large.bin")
            await connection.head()
            await eventually(lambda: _sockets(command) < before)
        assert not descriptors(tree / "large.bin", pid=command.process.pid)
        # A thread writes the log: the line may come after the connection is gone.
        await eventually(lambda: command.stderr.endswith("\n"))
        assert command.stderr == "GET '/large.bin': the response is incomplete: the client read nothing for 1 s\n"


def _sockets(command: Command) -> int:
    """Return how many sockets the server has open."""
    return sum(place.startswith("socket:") for place in descriptors(pid=command.process.pid).values())
