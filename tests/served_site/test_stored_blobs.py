"""The files of a database whose bytes are in a bucket, as a part of the site."""

import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Final

import pytest
from conftest import Serve
from harness.asgi import App, ask
from harness.clock import Clock
from harness.served import Connection, Server
from tools.databases import fill
from tools.databases import sqlite as sqlite  # noqa: PLC0414

from async_downloads.config import Settings
from async_downloads.server.lifespan import Lifespan
from async_downloads.sources.database.urls import open_catalogue
from served_site.site import app_of

_DATA: Final = Random(8).randbytes(3 * 1024 * 1024)
_FILE: Final = "/files/download/1"


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """A folder that is the bucket, with the object of one file."""
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    return bucket


@pytest.fixture
async def url(tmp_path: Path, bucket: Path) -> str:
    """The URL of a database with one file."""
    url = f"sqlite:///{tmp_path}/files.db"
    async with aclosing(open_catalogue(url, blobs=f"file://{bucket}")) as catalogue:
        await catalogue.init()
    await fill(url, **{"docs/video.bin": _DATA})
    return url


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """Start a site, and stop it at the end of the block."""
    site = app_of(settings)
    lifespan = Lifespan(site)
    await lifespan.start()
    yield site
    await lifespan.stop()


@pytest.fixture
async def site(url: str, bucket: Path) -> AsyncIterator[App]:
    """A site of the database and of the folder itself."""
    async with running(Settings(database=url, directory=bucket, file_ids="integer", list_files=True)) as site:
        yield site


async def _received(connection: Connection) -> bytes:
    received = b""
    with suppress(ConnectionResetError):
        while chunk := await connection.reader.read(1 << 20):
            received += chunk
    return received


def _object(bucket: Path) -> Path:
    [path] = [path for path in bucket.rglob("*") if path.is_file()]
    return path


async def test_a_file_is_served_as_from_the_database(site: App) -> None:
    whole = await ask(site, _FILE)
    assert (whole.status, whole.body, whole.fields["etag"]) == (200, _DATA, f'"{hashlib.sha256(_DATA).hexdigest()}"')
    assert "filename=video.bin" in whole.fields["content-disposition"].replace('"', "")
    part = await ask(site, _FILE, fields=[("range", "bytes=2000000-2000009"), ("if-range", whole.fields["etag"])])
    assert (part.status, part.body) == (206, _DATA[2_000_000:2_000_010])
    assert (await ask(site, _FILE, fields=[("if-none-match", whole.fields["etag"])])).status == 304
    assert (await ask(site, _FILE, method="HEAD")).fields["content-length"] == str(len(_DATA))
    assert (await ask(site, "/files/docs/video.bin")).body == _DATA
    assert (await ask(site, "/files/docs/?zip")).body.startswith(b"PK")
    assert (await ask(site, "/files/download/2")).status == 404


async def test_a_missing_object_is_an_error_of_the_server_and_a_line_in_the_log(
    site: App, bucket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _object(bucket)
    path.unlink()
    assert (await ask(site, _FILE)).status == 502
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"GET '{_FILE}': 502: the object {path.relative_to(bucket)} of 'video.bin' is missing"


async def test_an_object_deleted_during_a_download_ends_it_early(
    url: str, bucket: Path, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server: Server = await serve(app_of(Settings(database=url, file_ids="integer")))
    async with server.downloading(_FILE) as download:
        _object(bucket).unlink()
        received = await _received(download)
    assert len(received) < len(_DATA)
    assert _DATA.startswith(received)
    assert "is missing" in caplog.text


async def test_the_site_is_ready_if_the_database_and_the_bucket_respond(site: App, bucket: Path, clock: Clock) -> None:
    assert (await ask(site, "/-/ready")).status == 200
    clock.forward(11)
    bucket.rename(bucket.with_name("moved"))
    assert (await ask(site, "/-/ready")).status == 503


async def test_the_bytes_in_a_served_folder_are_not_served_by_their_names(site: App, bucket: Path) -> None:
    assert b".blobs" not in (await ask(site, "/?json")).body
    assert (await ask(site, f"/{_object(bucket).relative_to(bucket)}")).status == 404


@pytest.mark.parametrize("kind", ["in a folder", "in the database"])
async def test_without_s3_nobody_is_redirected(url: str, sqlite: str, kind: str) -> None:
    await fill(sqlite, a=_DATA)
    chosen = url if kind == "in a folder" else sqlite
    async with running(Settings(database=chosen, file_ids="integer", redirect=600)) as site:
        found = await ask(site, _FILE)
        assert (found.status, found.body) == (200, _DATA)
        assert (await ask(site, "/files/download/2")).status == 404
