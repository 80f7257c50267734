"""`async-downloads serve`: where it listens, and how its options are read."""

import json
import re
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from harness.waiting import HANGING, eventually
from tools.command import ANY_PORT, COMMAND, running, serving


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with something to serve, something hidden, and a way out."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.txt").write_text("here\n")
    (tree / ".hidden").write_text("hidden\n")
    outside = tmp_path / "outside.txt"
    outside.write_text("outside\n")
    (tree / "link.txt").symlink_to(outside)
    return tree


async def test_serve_prints_the_url_at_which_it_serves(tree: Path) -> None:
    async with serving(tree) as command:
        assert re.fullmatch(rf"Serving {tree} on http://127\.0\.0\.1:\d+/ \(press Ctrl-C to stop\)\n", command.stdout)
        assert command.get("/a.txt").text == "here\n"
        assert command.get("/-/healthy").text == "ok\n"


async def test_it_runs_as_a_module_and_serves_where_it_stands(tree: Path) -> None:
    module = (sys.executable, "-m", "async_downloads")
    async with running("serve", *ANY_PORT, command=module, cwd=tree) as command:
        assert command.get("/a.txt").text == "here\n"
        command.process.terminate()
        assert await command.ended() == 0


async def test_each_bind_is_served(tree: Path) -> None:
    async with serving(tree, "-b", "127.0.0.1:0", "-b", "localhost:0") as command:
        assert len(set(command.urls)) == 3
        async with httpx.AsyncClient(timeout=HANGING) as client:
            assert {(await client.get(f"{url}a.txt")).text for url in command.urls} == {"here\n"}


async def test_a_unix_socket_is_served_and_taken_away_at_the_end(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with running("serve", tree, "-b", f"unix:{path}", "--access-log", "json") as command:
        assert command.urls == [f"unix:{path}"]
        assert await _over(path) == "here\n"
        await eventually(lambda: command.log)
        assert json.loads(command.log[0])["client"] == "-"
        command.process.terminate()
        assert await command.ended() == 0
    assert not path.exists()


async def _over(path: Path) -> str:
    """Return the text of the file, fetched over a Unix socket."""
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    async with httpx.AsyncClient(transport=transport, timeout=HANGING) as client:
        return (await client.get("http://localhost/a.txt")).text


async def test_a_unix_socket_that_a_process_left_is_replaced(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with running("serve", tree, "-b", f"unix:{path}"):
        assert await _over(path) == "here\n"


async def test_a_socket_that_was_passed_on_is_served(tree: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        bind = ("-b", f"fd://{listener.fileno()}")
        async with running("serve", tree, *bind, pass_fds=[listener.fileno()]) as command:
            assert command.urls == [f"http://127.0.0.1:{listener.getsockname()[1]}/"]
            assert command.get("/a.txt").text == "here\n"


async def test_a_port_is_one_of_loopback(tree: Path) -> None:
    async with running("serve", tree, "-p", "0") as command:
        assert command.url.startswith("http://127.0.0.1:")
        assert command.get("/a.txt").text == "here\n"


async def test_ipv6_is_served(tree: Path) -> None:
    async with running("serve", tree, "-b", "[::1]:0") as command:
        assert command.url.startswith("http://[::1]:")
        assert command.get("/a.txt").text == "here\n"


async def test_workers_share_the_address_and_end_together(tree: Path) -> None:
    async with serving(tree, "--workers", "2") as command:
        await eventually(lambda: len(command.children) == 2)
        assert [command.get("/a.txt").text for _ in range(8)] == ["here\n"] * 8
        command.process.terminate()
        assert await command.ended() == 0


async def test_tls_is_spoken(tree: Path, certificate: tuple[Path, Path]) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    options = ("--certfile", certificate[0], "--keyfile", certificate[1])
    async with serving(tree, *options) as command:
        assert command.url.startswith("https://127.0.0.1:")
        async with httpx.AsyncClient(base_url=command.url, verify=trusted, http2=True, timeout=HANGING) as client:
            response = await client.get("/a.txt")
        assert (response.http_version, response.text) == ("HTTP/1.1", "here\n")
        command.process.terminate()
        assert await command.ended() == 0


@pytest.mark.parametrize(
    ("flag", "target", "before", "after"),
    [
        pytest.param("--hidden", "/.hidden", 404, 200, id="hidden"),
        pytest.param("--follow-symlinks", "/link.txt", 404, 200, id="follow-symlinks"),
    ],
)
async def test_what_is_not_served_is_with_a_flag(tree: Path, flag: str, target: str, before: int, after: int) -> None:
    async with serving(tree) as command:
        assert command.get(target).status_code == before
    async with serving(tree, flag) as command:
        assert command.get(target).status_code == after


async def test_every_file_is_offered_with_attachment(tree: Path) -> None:
    async with serving(tree, "--attachment") as command:
        offered, shown = command.get("/a.txt"), command.get("/a.txt?inline")
    assert offered.headers["content-disposition"] == "attachment; filename=a.txt"
    assert shown.headers["content-disposition"] == "inline; filename=a.txt"


@pytest.mark.parametrize(("given", "sent"), [("no-store", "no-store"), ("", None), ("none", None)])
async def test_cache_control_is_the_one_given(tree: Path, given: str, sent: str | None) -> None:
    async with serving(tree, "--cache-control", given) as command:
        assert command.get("/a.txt").headers.get("cache-control") == sent


async def test_the_access_log_is_text_or_json(tree: Path) -> None:
    async with serving(tree, "--access-log", "text") as command:
        command.get("/a.txt")
        await eventually(lambda: command.log)
        assert '"GET /a.txt HTTP/1.1" 200 5 bytes whole' in command.log[0]
    async with serving(tree, "--access-log", "json") as command:
        command.get("/a.txt")
        await eventually(lambda: command.log)
        assert json.loads(command.log[0])["bytes"] == 5


async def test_the_routes_are_there_whose_folder_is_named(tree: Path) -> None:
    async with serving(tree, "--client-csv", tree, "--download-file", tree / "a.txt") as command:
        statuses = [command.get(f"/{path}").status_code for path in ("download", "get-csv/x/a.txt")]
    assert statuses == [200, 404]


async def test_the_paths_of_routes_begin_where_it_was_started(tree: Path) -> None:
    options = ("--download-file", "tree/a.txt", "--client-reports", "tree")
    async with running("serve", "tree", *ANY_PORT, *options, cwd=tree.parent) as command:
        assert [command.get(target).text for target in ("/download", "/get-report/a.txt")] == ["here\n"] * 2


@pytest.mark.parametrize("flag", ["--help", "--version"])
async def test_it_explains_itself(flag: str) -> None:
    ended = subprocess.run([*COMMAND, flag], capture_output=True, text=True, timeout=HANGING, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout
