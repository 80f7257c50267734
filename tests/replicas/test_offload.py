"""Offload to a real nginx: it sends the files that our responses name, with conditions and ranges of its own."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from harness.ports import reserved_port
from harness.waiting import HANGING
from tools.command import refusal

from replicas.fronts import responds, running_nginx
from replicas.replica import Replica, wait_until

_SERVER = """
server {{
  listen 127.0.0.1:{port};
  location / {{ proxy_pass http://127.0.0.1:{app}; }}
  location /_files/ {{ internal; alias {folder}/; }}
}}
"""
_NAMES = ("a.txt", "deep/b c.txt", "50%.txt", "é?#.txt", "+.txt")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of nginx in front of `serve --offload nginx:/_files/`."""
    folder = tmp_path_factory.mktemp("offload")
    files = folder / "files"
    for name in (*_NAMES, ".hidden"):
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(f"content of {name}")
    with ExitStack() as stack:
        port, app = stack.enter_context(reserved_port()), stack.enter_context(reserved_port())
        replica = Replica(files, folder / "log", app, ("--offload", "nginx:/_files/"))
        stack.callback(replica.kill)
        replica.start()
        servers = _SERVER.format(port=port, app=app, folder=files)
        stack.enter_context(running_nginx(folder / "nginx", servers))
        url = f"http://127.0.0.1:{port}"
        wait_until(partial(responds, url))
        yield stack.enter_context(httpx.Client(base_url=url, timeout=HANGING))


@pytest.mark.parametrize("name", _NAMES)
def test_nginx_sends_the_file_that_the_response_names(client: httpx.Client, name: str) -> None:
    found = client.get(f"/{quote(name)}")
    assert (found.status_code, found.text) == (200, f"content of {name}")
    assert found.headers["content-type"] == "text/plain; charset=utf-8"
    assert "x-accel-redirect" not in found.headers
    assert re.fullmatch('"[0-9a-f]+-[0-9a-f]+"', found.headers["etag"])  # of nginx: date and size


def test_nginx_evaluates_conditions_and_ranges_by_its_own_validators(client: httpx.Client) -> None:
    etag = client.get("/a.txt").headers["etag"]
    part = client.get("/a.txt", headers={"Range": "bytes=0-6", "If-Range": etag})
    assert (part.status_code, part.text) == (206, "content")
    assert client.get("/a.txt", headers={"If-None-Match": etag}).status_code == 304
    assert client.get("/a.txt", headers={"If-Match": '"other"'}).status_code == 412
    head = client.head("/a.txt")
    assert (head.status_code, head.headers["content-length"]) == (200, "16")


def test_our_fields_that_nginx_knows_are_kept(client: httpx.Client) -> None:
    found = client.get("/a.txt?download")
    assert found.headers["content-disposition"] == "attachment; filename=a.txt"
    assert found.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/none.txt", "/.hidden", "/_files/a.txt", "/deep/../.hidden"])
def test_files_that_we_do_not_serve_are_not_sent(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_pages_and_archives_are_still_ours(client: httpx.Client) -> None:
    assert [entry["name"] for entry in client.get("/deep/?json").json()["entries"]] == ["b c.txt"]
    assert client.get("/deep/?zip").content.startswith(b"PK")


@pytest.mark.parametrize("text", ["nginx:_files", "nginx:/_files", "nginx", "apache", "nginx:/a b/", "nginx://"])
def test_other_texts_are_refused(tmp_path: Path, text: str) -> None:
    assert "is neither sendfile nor nginx:" in refusal("serve", tmp_path, "--offload", text)


def test_several_paths_cannot_be_offloaded(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    assert "--offload needs exactly one folder" in refusal("serve", tmp_path / "a.txt", "--offload", "sendfile")
