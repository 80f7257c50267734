"""A database whose bytes are in a bucket, from `db init --blobs` to `db gc`."""

import re
from pathlib import Path
from random import Random

import httpx
from harness.waiting import HANGING
from tools.command import finished, serving
from tools.databases import ran

_DATA = Random(9).randbytes(17 * 1024 * 1024)  # two parts of an upload


def _put(path: Path, url: str, *options: str) -> str:
    return ran("put", path, "--ids", "integer", *options, url=url).split()[1]


async def test_the_commands_work_with_bytes_in_s3_and_two_workers(
    limited_postgres_url: str, s3_url: str, tmp_path: Path
) -> None:
    url, path = limited_postgres_url, tmp_path / "a.bin"
    path.write_bytes(_DATA)
    assert ran("db", "init", "--blobs", s3_url, url=url) == ""
    target = _put(path, url)
    (tmp_path / "tree").mkdir()
    async with serving(tmp_path / "tree", "--database", url, "--file-ids", "integer", "--workers", "2") as command:
        assert {command.get(target).content == _DATA for _ in range(2)} == {True}
        path.write_bytes(b"new")
        assert _put(path, url, "--replace") == target
        assert command.get(target).content == b"new"
        assert httpx.get(f"{command.url}/-/ready", timeout=HANGING).status_code == 200
    assert ran("db", "check", url=url) == ""
    assert ran("db", "gc", "--grace", "0", url=url) == f"{len(_DATA)} bytes freed\n"


def test_a_missing_object_is_named(tmp_path: Path) -> None:
    url, path = f"sqlite:///{tmp_path}/files.db", tmp_path / "a.txt"
    path.write_bytes(b"text")
    (tmp_path / "bucket").mkdir()
    ran("db", "init", "--blobs", f"file://{tmp_path}/bucket", url=url)
    _put(path, url)
    [stored] = [each for each in (tmp_path / "bucket").rglob("*") if each.is_file()]
    stored.unlink()
    ended = finished("db", "check", "--database", url)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert re.fullmatch(r"a\.txt: the object \.blobs/\S+ of 'a\.txt' is missing\n", ended.stdout)


def test_a_bucket_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    ended = finished("db", "init", "--blobs", "file:///no/such", "--database", f"sqlite:///{tmp_path}/files.db")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "async-downloads: there is no folder /no/such: create it with mkdir -p /no/such\n"
    assert not (tmp_path / "files.db").exists()


async def test_a_client_is_redirected_to_the_object_of_a_file(s3_url: str, tmp_path: Path) -> None:
    url, path = f"sqlite:///{tmp_path}/files.db", tmp_path / "a b.txt"
    path.write_bytes(b"hello")
    ran("db", "init", "--blobs", s3_url, url=url)
    target = _put(path, url, "--type", "text/x-custom")
    (tmp_path / "tree").mkdir()
    options = ("--database", url, "--file-ids", "integer", "--redirect")
    async with serving(tmp_path / "tree", *options) as command:
        response = httpx.get(f"{command.url}{target}", timeout=HANGING)
        assert (response.status_code, response.headers["cache-control"]) == (307, "private, max-age=300")
        found = httpx.get(
            f"{command.url}{target}", follow_redirects=True, headers={"Range": "bytes=1-2"}, timeout=HANGING
        )
        assert (found.status_code, found.content, found.headers["content-type"]) == (206, b"el", "text/x-custom")
        assert found.headers["content-disposition"] == 'attachment; filename="a b.txt"'
        assert (
            httpx.head(f"{command.url}{target}", follow_redirects=True, timeout=HANGING).headers["content-length"]
            == "5"
        )
        in_a_page = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors"}
        assert httpx.get(f"{command.url}{target}", headers=in_a_page, timeout=HANGING).content == b"hello"
        assert httpx.get(f"{command.url}/files/download/2", timeout=HANGING).status_code == 404
        assert httpx.post(f"{command.url}{target}", timeout=HANGING).status_code == 405
