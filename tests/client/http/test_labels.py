"""Labels of content codings that belong to the file, and those that are none."""

import gzip
import zlib
from pathlib import Path

import pytest

from async_downloads.client import Downloader
from async_downloads.client.http.labels import coding_to_remove
from async_downloads.errors import BadResponse, DigestMismatch
from client.remote import URL, Remote, cut, names, sha256

PLAIN = bytes(range(256)) * 5000
PACKED = gzip.compress(PLAIN, 1)


@pytest.mark.parametrize(
    ("label", "path", "fields", "coding"),
    [
        pytest.param("gzip", "/data.csv", {}, "gzip", id="a page"),
        pytest.param("X-GZIP", "/data.tar", {}, "x-gzip", id="an old name in capitals"),
        pytest.param("deflate", "/a", {}, "deflate", id="deflate"),
        pytest.param("gzip", "/a.zip", {}, "gzip", id="a zip file that was compressed once more"),
        pytest.param("aws-chunked, gzip", "/a", {}, "gzip", id="beside a label that is no coding"),
        pytest.param("gzip", "/a.tar.gz", {}, None, id="an archive"),
        pytest.param("gzip", "/a.TGZ", {}, None, id="another suffix"),
        pytest.param("gzip", "/a%2Egz", {}, None, id="an encoded suffix"),
        pytest.param("gzip", "/dl", {"content-disposition": "attachment; filename=a b.gz"}, None, id="its given name"),
        pytest.param("gzip", "/dl", {"content-type": "application/gzip"}, None, id="its media type"),
        pytest.param("x-gzip", "/dl", {"content-type": "application/x-tar; a=b"}, None, id="as Apache labels archives"),
        pytest.param("", "/a", {}, None, id="empty"),
        pytest.param("identity", "/a", {}, None, id="no coding"),
        pytest.param("utf-8", "/a", {}, None, id="a charset"),
        pytest.param("none", "/a", {}, None, id="none"),
        pytest.param("binary", "/a", {}, None, id="binary"),
        pytest.param("br", "/a", {}, None, id="a coding that nothing here can remove"),
        pytest.param("br, gzip", "/a", {}, None, id="two codings, and one of them cannot be removed"),
        pytest.param("gzip, X-GZIP", "/a", {}, "gzip, x-gzip", id="two codings"),
    ],
)
def test_the_coding_to_remove_is(label: str, path: str, fields: dict[str, str], coding: str | None) -> None:
    assert coding_to_remove({"content-encoding": label, **fields}, "/first", path) == coding


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("label", ["utf-8", "none", "br", "aws-chunked", "binary"])
async def test_a_label_that_is_no_coding_does_not_prevent_resuming(
    one: Downloader, remote: Remote, path: Path, label: str
) -> None:
    remote.fields = {"Content-Encoding": label}
    remote.faults = [cut(300_000)]
    await one.fetch(URL, path)
    assert path.read_bytes() == remote.content
    assert [request.headers.get("if-range") for request in remote.requests] == [None, '"a"']


async def test_an_archive_is_stored_as_it_was_sent(one: Downloader, remote: Remote, path: Path) -> None:
    remote.content, remote.fields = PACKED, {"Content-Encoding": "gzip"}
    assert (await one.fetch(f"{URL}.gz", path)).path.read_bytes() == PACKED
    assert (await one.fetch(URL, path)).path.read_bytes() == PLAIN


@pytest.mark.parametrize("body", [PACKED, gzip.compress(PACKED, 1)], ids=["the label twice", "the coding twice"])
async def test_a_body_that_two_proxies_labelled_is_decoded(
    one: Downloader, remote: Remote, path: Path, body: bytes
) -> None:
    remote.content, remote.fields = body, {"Content-Encoding": "gzip, gzip"}
    assert (await one.fetch(URL, path)).path.read_bytes() == PLAIN


async def test_too_many_codings_are_refused(one: Downloader, remote: Remote, path: Path) -> None:
    remote.content, remote.fields = PACKED, {"Content-Encoding": "gzip, " * 5}
    with pytest.raises(BadResponse, match="5 times"):
        await one.fetch(URL, path)
    assert names(path) == []


@pytest.mark.parametrize("url", [URL, f"{URL}.gz"])
@pytest.mark.parametrize("content", [PLAIN, PACKED], ids=["decoded", "as sent"])
@pytest.mark.parametrize("packed", [PACKED, zlib.compress(PLAIN), PACKED + gzip.compress(b"")])
async def test_the_checksum_says_whether_the_coding_belongs_to_the_file(
    one: Downloader, remote: Remote, path: Path, content: bytes, packed: bytes, url: str
) -> None:
    remote.content, remote.fields = packed, {"Content-Encoding": "gzip"}
    expected = packed if content is PACKED else PLAIN
    result = await one.fetch(url, path, checksum=sha256(expected))
    assert (path.read_bytes() == expected, result.digest, names(path)) == (True, sha256(expected), ["target"])
    assert (await one.fetch(url, path, checksum=sha256(expected))).unchanged


@pytest.mark.parametrize("packed", [PACKED, PACKED[:-9], b"not gzip"])
async def test_a_file_that_has_the_checksum_in_neither_form_is_refused(
    one: Downloader, remote: Remote, path: Path, packed: bytes
) -> None:
    remote.content, remote.fields = packed, {"Content-Encoding": "gzip"}
    with pytest.raises(DigestMismatch):
        await one.fetch(URL, path, checksum=sha256(b"another"))
    assert names(path) == []
