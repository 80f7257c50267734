"""`--offload sendfile` with a real lighttpd and a real Apache: they send the files that our responses name."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx
import pytest
from harness.ports import reserved_port
from harness.waiting import HANGING
from tools.programs import need

from replicas.fronts import responds, run_until_exit
from replicas.replica import Replica, wait_until

_LIGHTTPD: Final = """
server.port = {port}
server.bind = "127.0.0.1"
server.document-root = "{scratch}"
server.errorlog = "{scratch}/error.log"
server.modules = ("mod_proxy")
proxy.server = ("" => ((
  "host" => "127.0.0.1", "port" => {app}, "x-sendfile" => "enable", "x-sendfile-docroot" => ("{folder}")
)))
"""
_APACHE: Final = """
ServerRoot {scratch}
DefaultRuntimeDir {scratch}
PidFile {scratch}/pid
ErrorLog {scratch}/error.log
Mutex posixsem
ServerName localhost
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
LoadModule xsendfile_module {modules}/mod_xsendfile.so
{user}
AllowEncodedSlashes NoDecode
ProxyPass / http://127.0.0.1:{app}/ nocanon
XSendFile on
XSendFilePath {folder}
"""
_MODULES: Final = "/usr/lib/apache2/modules"
_USER: Final = "User nobody\nGroup nogroup"
_FRONTS: Final = ("lighttpd", "apache2")
_NAMES: Final = ("a.txt", "deep/b c.txt", "é?#.txt", "+&;.txt", "50%20.txt", "end ")
_ESCAPED: Final = ("50%20.txt", "end ")  # Apache does not find them


def _start(stack: ExitStack, front: str, scratch: Path, **values: object) -> None:
    user = _USER if os.geteuid() == 0 else ""
    scratch.mkdir()
    configuration = scratch / "configuration"
    template = _LIGHTTPD if front == "lighttpd" else _APACHE
    configuration.write_text(template.format(scratch=scratch, user=user, modules=_MODULES, **values))
    foreground = "-D" if front == "lighttpd" else "-X"
    run_until_exit(stack, need(front), foreground, "-f", str(configuration))


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, httpx.Client]]:
    """Clients of both servers in front of one `serve --offload sendfile`, by the name of the server."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        scratch.chmod(0o755)  # Apache has given up the rights of root
        folder = scratch / "files"
        for name in (*_NAMES, ".hidden"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"content of {name}")
        replica = Replica(folder, scratch / "log", stack.enter_context(reserved_port()), ("--offload", "sendfile"))
        stack.callback(replica.kill)
        replica.start()
        ports = {front: stack.enter_context(reserved_port()) for front in _FRONTS}
        for front, port in ports.items():
            _start(stack, front, scratch / front, port=port, app=replica.port, folder=folder)
        urls = {front: f"http://127.0.0.1:{port}" for front, port in ports.items()}
        for url in urls.values():
            wait_until(partial(responds, url))
        yield {front: stack.enter_context(httpx.Client(base_url=url, timeout=HANGING)) for front, url in urls.items()}


@pytest.fixture(params=_FRONTS)
def client(request: pytest.FixtureRequest, clients: dict[str, httpx.Client]) -> httpx.Client:
    """A client of one of the servers."""
    return clients[request.param]


@pytest.mark.parametrize("name", _NAMES)
def test_the_file_that_the_response_names_is_sent(clients: dict[str, httpx.Client], name: str) -> None:
    for front, client in clients.items():
        found = client.get(f"/{quote(name)}")
        assert "x-sendfile" not in found.headers
        if front == "apache2" and name in _ESCAPED:
            assert found.status_code == 404
        else:
            assert (found.status_code, found.text) == (200, f"content of {name}")


def test_conditions_and_ranges_are_evaluated_by_our_etag(client: httpx.Client) -> None:
    etag = client.get("/a.txt").headers["etag"]
    part = client.get("/a.txt", headers={"Range": "bytes=0-6", "If-Range": etag})
    assert (part.status_code, part.text) == (206, "content")
    other = client.get("/deep/b%20c.txt", headers={"Range": "bytes=0-6", "If-Range": etag})
    assert (other.status_code, other.text) == (200, "content of deep/b c.txt")
    assert client.get("/a.txt", headers={"If-None-Match": etag}).status_code == 304
    assert client.get("/deep/b%20c.txt", headers={"If-None-Match": etag}).status_code == 200
    head = client.head("/a.txt")
    assert (head.status_code, head.headers["content-length"]) == (200, "16")


def test_our_fields_are_kept(client: httpx.Client) -> None:
    found = client.get("/a.txt?download").headers
    assert found["content-disposition"] == "attachment; filename=a.txt"
    assert (found["cache-control"], found["x-content-type-options"]) == ("no-cache", "nosniff")


def test_files_that_we_do_not_serve_are_not_sent_and_pages_are_ours(client: httpx.Client) -> None:
    for path in ("/none.txt", "/.hidden", "/%2ehidden", "/deep/../.hidden"):
        assert client.get(path).status_code == 404
    assert [entry["name"] for entry in client.get("/deep/?json").json()["entries"]] == ["b c.txt"]
    assert client.get("/deep/?zip").content.startswith(b"PK")
