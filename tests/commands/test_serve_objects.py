"""`async-downloads serve s3://…`: the objects of a real S3 server over HTTP."""

import asyncio
import base64
import hashlib
import io
import json
import re
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import httpx
import obstore
import pytest
from harness.ports import reserved_port
from harness.waiting import HANGING, eventually
from tools.command import Command, finished, serving

from async_downloads.sources.object_storage.connecting import store_at

_DATA = Random(5).randbytes(3 * 1024 * 1024)


@pytest.fixture
async def command(s3_url: str) -> AsyncIterator[Command]:
    """A server of a bucket with some objects."""
    upstream = store_at(s3_url)
    objects = {"a.txt": b"hello", "docs/b.bin": _DATA, "docs/README.md": b"# About\n"}
    await asyncio.gather(*(obstore.put_async(upstream, key, data) for key, data in objects.items()))
    async with serving(s3_url) as command:
        yield command


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_objects_ranges_pages_and_archives(command: Command, tmp_path: Path) -> None:
    whole = command.get("/docs/b.bin")
    assert (whole.content, whole.headers["accept-ranges"]) == (_DATA, "bytes")
    assert [entry["name"] for entry in command.get("/docs/?json").json()["entries"]] == ["b.bin", "README.md"]
    assert "About" in httpx.get(f"{command.url}/docs/", headers={"Accept": "text/html"}, timeout=HANGING).text
    assert command.get("/docs/?zip").content.startswith(b"PK")
    assert [command.get(path).status_code for path in ("/nothing", "/docs")] == [404, 301]
    assert finished("get", "-x4", f"{command.url}/docs/b.bin", "-o", str(tmp_path / "b")).returncode == 0
    assert _digest(tmp_path / "b") == hashlib.sha256(_DATA).hexdigest()


@pytest.fixture
async def redirecting(s3_url: str) -> AsyncIterator[Command]:
    """A server that redirects to the bucket."""
    await obstore.put_async(store_at(s3_url), "docs/a b.txt", b"hello")
    async with serving(s3_url, "--redirect") as command:
        yield command


async def test_a_redirect_leads_to_the_bytes(redirecting: Command, tmp_path: Path) -> None:
    url = f"{redirecting.url}/docs/a%20b.txt"
    response = httpx.get(url, timeout=HANGING)
    assert (response.status_code, response.headers["referrer-policy"]) == (307, "no-referrer")
    assert response.headers["cache-control"] == "private, max-age=300"
    found = httpx.get(f"{url}?download", follow_redirects=True, headers={"Range": "bytes=1-2"}, timeout=HANGING)
    assert (found.status_code, found.content) == (206, b"el")
    assert found.headers["content-disposition"] == 'attachment; filename="a b.txt"'
    assert httpx.head(url, follow_redirects=True, timeout=HANGING).headers["content-length"] == "5"
    assert finished("get", url, "-o", str(tmp_path / "a")).returncode == 0
    assert (tmp_path / "a").read_bytes() == b"hello"


async def test_pages_show_objects_of_their_own_server(redirecting: Command) -> None:
    in_a_page = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors"}
    assert httpx.get(f"{redirecting.url}/docs/a%20b.txt", headers=in_a_page, timeout=HANGING).content == b"hello"
    assert redirecting.get("/docs/.hidden").status_code == 404


def test_put_ls_and_rm_manage_the_files_of_a_bucket(s3_url: str, tmp_path: Path) -> None:
    (tmp_path / "small.txt").write_bytes(b"small")
    (tmp_path / "large.bin").write_bytes(Random(6).randbytes(9 * 1024 * 1024))
    files = [tmp_path / "small.txt", tmp_path / "large.bin"]
    assert finished("put", *files, "--bucket", s3_url).stdout == "small.txt\t/small.txt\nlarge.bin\t/large.bin\n"
    assert "use --replace" in finished("put", files[0], "--bucket", s3_url).stderr
    refused = finished("put", files[0], "--name", "a//b", "--bucket", s3_url).stderr
    assert refused.endswith("'a//b' cannot be the name of a stored file: use --name to give another name\n")
    assert finished("put", files[0], "--replace", "--name", "a b", "--bucket", s3_url).stdout == "a b\t/a%20b\n"
    listed = finished("ls", "--bucket", s3_url).stdout.splitlines()
    assert [line.split("  ")[-1] for line in listed] == ["a b", "large.bin", "small.txt"]
    assert '"size": 9437184' in finished("ls", "--json", "--bucket", s3_url).stdout
    assert finished("rm", "small.txt", "--name", "a b", "--bucket", s3_url).returncode == 0
    assert "there is no file 'small.txt'" in finished("rm", "small.txt", "--bucket", s3_url).stderr
    assert len(finished("ls", "--bucket", s3_url).stdout.splitlines()) == 1


async def test_ls_prints_no_control_characters(s3_url: str) -> None:
    """A terminal would obey U+009B, the start of a command, and U+202E would turn the line around."""
    name = "a\x9b31m\u202eb"
    await obstore.put_async(store_at(s3_url), name, b"x")
    assert finished("ls", "--bucket", s3_url).stdout.rstrip().split("  ")[-1] == "a_31m_b"
    assert json.loads(finished("ls", "--json", "--bucket", s3_url).stdout)["name"] == name


async def test_a_stored_file_has_its_digest(s3_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"hello")
    finished("put", tmp_path / "a.txt", "--bucket", s3_url)
    async with serving(s3_url) as command:
        digest = command.get("/a.txt").headers["repr-digest"]
    assert digest == _repr_digest(b"hello")


async def test_the_server_starts_without_its_bucket_and_says_so(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with reserved_port() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        async with serving(s3_url) as command:
            await eventually(lambda: f"{s3_url}: " in command.stderr)
            assert command.get("/a.txt").status_code == 502
            assert command.get("/-/ready").status_code == 503


async def test_wrong_credentials_are_one_line_and_the_server_is_not_ready(
    s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    async with serving(s3_url) as command:
        await eventually(lambda: command.stderr.endswith("\n"))
        assert command.get("/-/ready").status_code == 503
        assert command.get("/a.txt").status_code == 502
        assert httpx.head(f"{command.url}/a.txt", timeout=HANGING).status_code == 502
        (line,) = [line for line in command.stderr.splitlines() if s3_url in line]
    assert "403 Forbidden: " in line


def _repr_digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def _scraped(command: Command) -> str:
    address = re.search(r"metrics are at (\S+)", command.stderr)
    assert address
    return httpx.get(address[1], timeout=HANGING).text


def _unpacked(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


async def test_archives_digests_limits_and_metrics_work_over_a_bucket(s3_url: str) -> None:
    large = _DATA[: 1024 * 1024]
    files = {"docs/a.txt": b"hello", "docs/deep/b.bin": large, "docs/empty": b"", "more/b.bin": large}
    upstream = store_at(s3_url)
    await asyncio.gather(*(obstore.put_async(upstream, key, data) for key, data in files.items()))
    options = ("--archive-limit", "1500K", "--limit-rate", "1M", "--metrics-bind", "0")
    async with serving(s3_url, *options) as command:
        archive = _unpacked(command.get("/docs/?zip").content)
        assert archive == {key: data for key, data in files.items() if key.startswith("docs/")}
        assert command.get("/?zip").status_code == 413
        found = httpx.get(f"{command.url}/docs/a.txt", headers={"Want-Repr-Digest": "sha-256=1"}, timeout=HANGING)
        assert found.headers["repr-digest"] == _repr_digest(b"hello")
        began = time.monotonic()
        assert command.get("/more/b.bin").content == large
        assert time.monotonic() - began > 0.5
        await eventually(lambda: 'source_seconds_count{source="object"} 0.0' not in _scraped(command))
