"""`async-downloads serve FILE...`: a list of just these files and folders."""

import io
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from harness.waiting import HANGING
from tools.command import ANY_PORT, Command, refusal, running
from tools.databases import fill
from tools.databases import sqlite as sqlite  # noqa: PLC0414

_DATA = bytes(range(256)) * 40


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Some folders with files."""
    tree = tmp_path / "tree"
    for name in ("report.pdf", "docs/a.txt", "docs/deep/b.txt", "other/report.pdf", "other/.hidden", "files"):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_DATA if path.suffix == ".pdf" else name.encode())
    return tree


def _names(command: Command) -> list[str]:
    return [entry["name"] for entry in command.get("/?json").json()["entries"]]


async def test_files_and_folders_are_one_list(tree: Path) -> None:
    async with running("serve", "report.pdf", "docs", "other/.hidden", "--hidden", *ANY_PORT, cwd=tree) as command:
        assert _names(command) == ["docs", ".hidden", "report.pdf"]
        assert '<a href="docs/">' in command.get("/").text
        assert command.get("/docs/deep/b.txt").text == "docs/deep/b.txt"
        assert command.get("/other/report.pdf").status_code == 404
        redirect = command.get("/docs")
        assert (redirect.status_code, redirect.headers["location"]) == (301, "./docs/")
        assert command.stdout.startswith("Serving report.pdf, docs, other/.hidden on http://127.0.0.1:")


async def test_a_folder_that_is_named_twice_is_served_once(tree: Path) -> None:
    async with running("serve", "docs", "./docs/", *ANY_PORT, cwd=tree) as command:
        assert command.stdout.startswith("Serving docs on http://")
        assert _names(command) == ["deep", "a.txt"]


async def test_many_paths_are_counted_in_the_announcement(tree: Path) -> None:
    async with running("serve", "report.pdf", "docs", "files", "other", *ANY_PORT, cwd=tree) as command:
        assert command.stdout.startswith("Serving 4 files and folders on ")


async def test_a_file_of_the_list_has_ranges_and_conditions(tree: Path) -> None:
    async with running("serve", "report.pdf", "docs", *ANY_PORT, cwd=tree) as command:
        whole = command.get("/report.pdf")
        fields = {"Range": "bytes=10-19", "If-Range": whole.headers["etag"]}
        part = httpx.get(f"{command.url}/report.pdf", headers=fields, timeout=HANGING)
        same = httpx.get(f"{command.url}/report.pdf", headers={"If-None-Match": whole.headers["etag"]}, timeout=HANGING)
        assert (whole.content, part.status_code, part.content) == (_DATA, 206, _DATA[10:20])
        assert (whole.headers["content-type"], same.status_code) == ("application/pdf", 304)


async def test_one_file_alone_is_at_the_top_too(tree: Path) -> None:
    async with running("serve", "report.pdf", *ANY_PORT, cwd=tree) as command:
        top, named = command.get("/"), command.get("/report.pdf")
        assert top.content == named.content == _DATA
        assert top.headers["etag"] == named.headers["etag"]
        assert top.headers["content-disposition"] == "inline; filename=report.pdf"
        assert command.get("/?download").headers["content-disposition"] == "attachment; filename=report.pdf"
        assert _names(command) == ["report.pdf"]
        listing = httpx.get(command.urls[0], headers={"Accept": "application/json"}, timeout=HANGING)
        assert listing.json()["path"] == "/"
        same = httpx.get(command.urls[0], headers={"If-None-Match": top.headers["etag"]}, timeout=HANGING)
        assert (same.status_code, "content-disposition" in same.headers) == (304, False)


def _in_zip(command: Command, target: str) -> list[str]:
    """Return the names below the top folder of the archive at a target."""
    with zipfile.ZipFile(io.BytesIO(command.get(target).content)) as archive:
        assert archive.testzip() is None
        return sorted(name.partition("/")[2] for name in archive.namelist())


async def test_all_paths_or_some_are_one_archive(tree: Path) -> None:
    async with running("serve", "report.pdf", "docs", *ANY_PORT, cwd=tree) as command:
        assert _in_zip(command, "/?zip") == ["docs/a.txt", "docs/deep/b.txt", "report.pdf"]
        assert _in_zip(command, "/?zip&name=report.pdf") == ["report.pdf"]
        assert _in_zip(command, "/docs/?zip") == ["a.txt", "deep/b.txt"]


async def test_one_file_alone_has_its_page_and_an_archive(tree: Path) -> None:
    async with running("serve", "report.pdf", *ANY_PORT, cwd=tree) as command:
        assert "<title>report.pdf</title>" in command.get("/report.pdf?view").text
        assert "<title>Index of /</title>" in command.get("/?view=grid").text
        assert _in_zip(command, "/?zip") == ["report.pdf"]


async def test_one_folder_alone_is_the_top(tree: Path) -> None:
    async with running("serve", "docs", *ANY_PORT, cwd=tree) as command:
        assert _names(command) == ["deep", "a.txt"]


@pytest.mark.parametrize(
    ("env", "lines"),
    [
        pytest.param({"ASYNC_DOWNLOADS_PATHS": "report.pdf\ndocs\n"}, "", id="variable"),
        pytest.param({"ASYNC_DOWNLOADS_DIRECTORY": "report.pdf\ndocs"}, "", id="variable of one folder"),
        pytest.param({}, "directory = ['report.pdf', 'docs']", id="file"),
    ],
)
async def test_paths_can_be_named_elsewhere(tree: Path, tmp_path: Path, env: Mapping[str, str], lines: str) -> None:
    config = tmp_path / "downloads.toml"
    config.write_text(lines)
    async with running("serve", "-c", config, *ANY_PORT, cwd=tree, env=env) as command:
        assert _names(command) == ["docs", "report.pdf"]


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        pytest.param(("report.pdf", "other/report.pdf"), "have the same name", id="same name"),
        pytest.param(("other/.hidden",), "other/.hidden is hidden: add --hidden", id="hidden"),
        pytest.param(
            ("report.pdf", "nothing"), "there is no file or folder 'nothing': name one that exists", id="missing"
        ),
        pytest.param(("pipe",), "pipe is neither a file nor a folder", id="pipe"),
        pytest.param(("docs", "closed.txt"), "is not readable", id="unreadable"),
        pytest.param(("/", "docs"), "/ has no name: serve it without other paths", id="top of the file system"),
    ],
)
def test_paths_that_cannot_be_served_are_refused_in_one_line(tree: Path, paths: tuple[str, ...], reason: str) -> None:
    os.mkfifo(tree / "pipe")
    (tree / "closed.txt").touch(mode=0)
    assert reason in refusal("serve", *paths, cwd=tree)


def test_a_path_that_a_database_would_hide_is_refused(tree: Path, sqlite: str) -> None:
    assert "has the same URL as the files of the database" in refusal(
        "serve", "docs", "files", "--database", sqlite, cwd=tree
    )


def test_a_database_that_is_one_of_the_paths_is_refused(tree: Path) -> None:
    reason = refusal("serve", "docs", "report.pdf", "--database", f"sqlite:///{tree}/report.pdf", cwd=tree)
    assert "is served: move it" in reason
    followed = ("--follow-symlinks", "--database", "sqlite:////elsewhere.db")
    assert "through symbolic links" in refusal("serve", "docs", "other", *followed, cwd=tree)


async def test_a_database_is_served_beside_the_paths(tree: Path, sqlite: str) -> None:
    file = (await fill(sqlite, a=b"stored"))["a"]
    async with running("serve", "docs", "report.pdf", "--database", sqlite, *ANY_PORT, cwd=tree) as command:
        assert command.get(f"/files/download/{file.token}").text == "stored"
        assert command.get("/report.pdf").content == _DATA


async def test_files_that_the_server_may_not_read_look_closed_and_have_a_page_that_says_so(tree: Path) -> None:
    (tree / "closed.png").write_bytes(_DATA)
    (tree / "closed.png").chmod(0)
    (tree / "other").chmod(0)
    async with running("serve", tree, *ANY_PORT, obey_modes=True) as command:
        for target in ("/closed.png", "/closed.png?view", "/other/", "/other/report.pdf", "/other/?zip"):
            page = httpx.get(command.url + target, headers={"accept": "text/html"}, timeout=HANGING)
            assert (page.status_code, "<h1>403 Forbidden</h1>" in page.text) == (403, True), target
        shown = command.get("/?select=1&view=grid").text
        for entry, kind in (("closed.png", "image"), ("other/", "dir")):
            assert re.search(rf'<li class="{kind} closed">\s*<span></span>\s*<a href="{entry}">\s*<bdi>', shown), shown
        assert zipfile.ZipFile(io.BytesIO(command.get("/?zip").content)).namelist() == [
            f"files/{name}" for name in ("files", "report.pdf", "docs/a.txt", "docs/deep/b.txt")
        ]
    (tree / "other").chmod(0o700)
