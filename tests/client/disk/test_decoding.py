"""A file with a Content-Encoding and a checksum: the one that the checksum fits is stored, and its size is stated."""

import gzip
import zlib
from pathlib import Path
from random import Random

import pytest

from async_downloads.client import Downloader
from async_downloads.errors import DigestMismatch
from client.remote import MIB, URL, Remote, names, sha256

CONTENT = Random(1).randbytes(MIB) * 3
CODED = {
    "one gzip member": gzip.compress(CONTENT),
    "two gzip members": gzip.compress(CONTENT[:MIB]) + gzip.compress(CONTENT[MIB:]),
    "zlib": zlib.compress(CONTENT),
    "gzip with padding": gzip.compress(CONTENT) + bytes(512),
}


@pytest.mark.parametrize("coded", CODED.values(), ids=CODED)
async def test_the_file_without_the_coding_is_stored_if_the_checksum_is_its_own(
    one: Downloader, remote: Remote, path: Path, coded: bytes
) -> None:
    remote.content, remote.fields["Content-Encoding"] = coded, "gzip"
    result = await one.fetch(URL, path, checksum=sha256(CONTENT))
    assert (path.read_bytes() == CONTENT, names(path)) == (True, ["target"])
    assert (result.size, result.transferred, result.digest) == (len(CONTENT), len(coded), sha256(CONTENT))
    assert (await one.fetch(URL, path, checksum=sha256(CONTENT))).unchanged


async def test_the_file_as_sent_is_stored_if_the_checksum_is_its_own(
    one: Downloader, remote: Remote, path: Path
) -> None:
    coded = CODED["one gzip member"]
    remote.content, remote.fields["Content-Encoding"] = coded, "gzip"
    result = await one.fetch(URL, path, checksum=sha256(coded))
    assert (path.read_bytes() == coded, result.size) == (True, len(coded))


@pytest.mark.parametrize(
    "coded",
    [
        pytest.param(CODED["zlib"][:-9], id="without its end"),
        pytest.param(b"plain bytes", id="not coded"),
        pytest.param(gzip.compress(b"other"), id="of another file"),
    ],
)
async def test_a_file_that_the_checksum_does_not_fit_is_not_stored(
    one: Downloader, remote: Remote, path: Path, coded: bytes
) -> None:
    remote.content, remote.fields["Content-Encoding"] = coded, "gzip"
    with pytest.raises(DigestMismatch):
        await one.fetch(URL, path, checksum=sha256(CONTENT))
    assert names(path) == []
