"""`get -r`: a local copy of a server's folder."""

import http.server
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from harness.scripted import Connection, head, scripted
from harness.served import http1
from harness.threaded import threaded
from tools.getting import Get, Origin
from tools.getting import folder as folder  # noqa: PLC0414
from tools.getting import get as get  # noqa: PLC0414
from tools.getting import origin as origin  # noqa: PLC0414

from async_downloads.config import Settings
from async_downloads.site.app import create_app

DAY = 1_767_225_600
MANY = 1000


class Site:
    """A served folder: where it is, its URL, and the targets of the requests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = ""
        self.requests: list[str] = []

    def write(self, name: str, content: str, modified: int = DAY) -> None:
        """Write a file of the site."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, (modified, modified))

    def tree(self) -> dict[str, str]:
        """Return the contents of all files."""
        return contents(self.root)


def contents(folder: Path) -> dict[str, str]:
    """Return the contents of all files below a folder."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def _ours(site: Site) -> Iterator[str]:
    app = create_app(Settings(directory=site.root))

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            site.requests.append(scope["raw_path"].decode())
        await app(scope, receive, send)

    with threaded(http1(counted)) as server:
        yield f"http://127.0.0.1:{server.port}/"


@contextmanager
def _python(site: Site) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_request(self, code: object = "-", size: object = "-") -> None:
            site.requests.append(self.path)

        def log_error(self, *_: object) -> None:
            """Print nothing: standard error is the command's."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site.root))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(params=[_ours, _python], ids=["our server", "Python's http.server"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A folder with files and folders, served by one of two servers."""
    site = Site(tmp_path_factory.mktemp("site"))
    for name in ("a.txt", "b c.iso", "sub/a.txt", "sub/deep/ä.txt", "other/x"):
        site.write(name, f"this is {name}")
    with request.param(site) as site.url:
        yield site


def test_a_folder_is_copied_and_then_only_what_changed(get: Get, site: Site, folder: Path) -> None:
    assert get("-r", site.url, "-d", "copy").code == 0
    assert contents(folder / "copy") == site.tree()
    site.write("sub/a.txt", "changed", DAY + 60)
    site.write("sub/new.txt", "new")
    got = get("-r", site.url, "-d", "copy")
    assert got.code == 0
    assert {line.partition(":")[0] for line in got.lines} == {"copy/sub/a.txt", "copy/sub/new.txt", "6 files"}
    assert ": 2 downloaded, " in got.lines[-1]
    assert got.lines[-1].endswith(", 4 already complete")
    assert contents(folder / "copy") == site.tree()


def test_a_folder_keeps_its_name_if_no_directory_is_given(get: Get, site: Site, folder: Path) -> None:
    assert get("-r", f"{site.url}sub").code == 0
    assert contents(folder) == {"sub/a.txt": "this is sub/a.txt", "sub/deep/ä.txt": "this is sub/deep/ä.txt"}


def test_patterns_choose_files(get: Get, site: Site, folder: Path) -> None:
    assert get("-r", site.url, "-d", "copy", "--include", "*.txt", "--exclude", "deep").code == 0
    assert contents(folder / "copy").keys() == {"a.txt", "sub/a.txt"}
    assert not any("deep/" in target for target in site.requests)


def test_directories_are_kept_below_the_host(get: Get, site: Site, folder: Path) -> None:
    assert get("-r", f"{site.url}sub/", f"{site.url}other/", "--keep-directories").code == 0
    host = site.url.removeprefix("http://").strip("/").replace(":", "_")
    assert contents(folder).keys() == {f"{host}/sub/a.txt", f"{host}/sub/deep/ä.txt", f"{host}/other/x"}


def test_an_interrupted_copy_continues(get: Get, site: Site, folder: Path) -> None:
    assert get("-r", site.url, "-d", "copy").code == 0
    (folder / "copy" / "a.txt").unlink()
    (folder / "copy" / "sub" / "a.txt").write_text("half")
    assert ": 2 downloaded, " in get("-r", site.url, "-d", "copy").lines[-1]
    assert contents(folder / "copy") == site.tree()


def test_files_are_verified_by_a_list_below_the_folder(get: Get, site: Site, folder: Path) -> None:
    (folder / "sums").write_text(f"{'0' * 64}  sub/a.txt\n")
    got = get("-r", f"{site.url}", "-d", "copy", "--checksums", "sums", "--include", "sub/*")
    assert got.code in {2, 9}
    assert contents(folder / "copy") == {}


def test_a_missing_folder_is_one_error(get: Get, site: Site, folder: Path) -> None:
    got = get("-r", f"{site.url}missing/", "-d", "copy")
    assert got.code == 8
    assert got.lines[0].startswith(f"async-downloads: {site.url}missing/: the server responded 404")
    assert get("-r", "ftp://example.com/").code == 2


@pytest.mark.parametrize(
    ("media_type", "body", "size"),
    [
        pytest.param("application/zip", b"PK", 10**9, id="an archive, of which only the head is read"),
        pytest.param("text/html", b"<p>", 3, id="a page without links"),
        pytest.param("application/json", b"{}", 2, id="other JSON"),
    ],
)
def test_for_a_single_file_the_advice_is_to_leave_out_r(
    get: Get, folder: Path, media_type: str, body: bytes, size: int
) -> None:
    async def file(connection: Connection) -> None:
        await connection.request()
        await connection.send(head(f"Content-Type: {media_type}", f"Content-Length: {size}"), body)
        await connection.left()

    with threaded(scripted(file)) as server:
        got = get("-r", server.url, "-d", "copy")
    assert (got.code, contents(folder)) == (7, {})
    assert got.lines[0].endswith(": leave out -r to download this URL as a file")


def test_json_has_an_event_for_each_file_and_the_sum(get: Get, site: Site, folder: Path) -> None:
    events = [json.loads(line) for line in get("-r", site.url, "-d", "copy", "--json").lines]
    finished = [event for event in events if event["event"] == "finished"]
    assert {event["path"] for event in finished} == {f"copy/{name}" for name in site.tree()}
    assert (events[-1]["event"], events[-1]["files"]) == ("summary", 5)


@pytest.mark.parametrize("site", [_ours], indirect=True, ids=["our server"])
def test_of_a_thousand_files_only_the_changed_one_is_requested(get: Get, site: Site, folder: Path) -> None:
    for number in range(MANY):
        site.write(f"many/{number % 20}/{number}", str(number))
    first = get("-r", f"{site.url}many/", "-d", "copy", "--jobs", 8, "-x", 1)
    assert (first.code, first.lines[-1][:28]) == (0, "1,000 files: 1,000 downloade")
    site.write("many/7/7", "other", DAY + 1)
    site.requests.clear()
    got = get("-r", f"{site.url}many/", "-d", "copy")
    assert len(got.lines) == 2
    assert got.lines[1].endswith(", 999 already complete")
    assert [target for target in site.requests if not target.endswith("/")] == ["/many/7/7"]
    assert len(site.requests) == 22  # the listings of 21 folders, and the file
    assert contents(folder / "copy") == contents(site.root / "many")


@pytest.mark.parametrize("site", [_ours], indirect=True, ids=["our server"])
def test_a_listing_in_pages_is_read_to_its_end(get: Get, site: Site, folder: Path) -> None:
    for name in ("a", "b & c", "d?e", "f/g", "ä", "z"):
        site.write(f"paged/{name}", name)
    assert get("-r", f"{site.url}paged/?limit=2", "-d", "copy").code == 0
    assert contents(folder / "copy") == contents(site.root / "paged")
    assert len([target for target in site.requests if target.startswith("/paged/") and target.endswith("/")]) == 4


@pytest.mark.parametrize("site", [_ours], indirect=True, ids=["our server"])
def test_a_folder_without_r_is_named_and_r_is_offered(get: Get, site: Site, folder: Path) -> None:
    site.requests.clear()
    for path, name in (("sub/", "index.html"), ("other", "other")):
        hint, saved = get(f"{site.url}{path}", "-x", 1).lines
        assert hint.startswith(f"async-downloads: {name} is the page of a folder: use -r to download the files, or ")
        assert hint.endswith("end the URL with ?zip to get an archive")
        assert saved.startswith(f"{name}: ")
    assert site.requests == ["/sub/", "/other", "/other/"]


def test_a_url_that_is_good_for_one_request_may_end_with_a_slash(get: Get, origin: Origin, folder: Path) -> None:
    assert get(origin.url("token/"), "-x", "1").code == 0
    assert len(origin.requests) == 1


@pytest.mark.parametrize("site", [_python], indirect=True, ids=["Python's http.server"])
def test_the_page_of_another_server_s_folder_is_saved_once(get: Get, site: Site, folder: Path) -> None:
    hint, saved = get(f"{site.url}sub/").lines
    assert hint == "async-downloads: index.html is the page of a folder: use -r to download the files"
    assert saved.startswith("index.html: ")
    assert "Directory listing" in (folder / "index.html").read_text()
