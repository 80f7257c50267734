"""Digests from the caller and from the server, and content codings."""

import gzip
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from async_downloads.client import Downloader, Progress
from async_downloads.errors import BadStatus, DigestMismatch
from client.remote import MIB, URL, Remote, cut, names, refused, sha256

pytestmark = pytest.mark.usefixtures("quick")


@dataclass
class Digesting(Remote):
    """Sends the digest of each part, and collects them in `sent`. If `damaged`, the last byte of each part is wrong."""

    damaged: bool = False
    sent: list[str] = field(default_factory=list)

    def streamed(self, status: int, fields: dict[str, str], content: bytes) -> httpx.Response:
        """Return a response with a streamed body."""
        if status == 206:
            digest = hashlib.sha256(content).digest()
            fields = {**fields, "Content-Digest": f"sha-256=:{b64encode(digest).decode()}:"}
            self.sent.append(sha256(content))
            content = content[:-1] + bytes([content[-1] ^ self.damaged])
        return super().streamed(status, fields, content)


@pytest.fixture
def digesting() -> Digesting:
    """A server that sends the digest of each part."""
    return Digesting()


@pytest.fixture
async def from_digesting(digesting: Digesting) -> AsyncIterator[Downloader]:
    """A downloader with four connections to that server."""
    async with digesting.client() as client, Downloader(client=client) as downloader:
        yield downloader


async def test_an_existing_file_with_the_checksum_needs_no_request(one: Downloader, remote: Remote, path: Path) -> None:
    path.write_bytes(remote.content)
    result = await one.fetch(URL, path, checksum=sha256(remote.content))
    assert (result.unchanged, result.digest, remote.requests) == (True, sha256(remote.content), [])


async def test_a_checksum_is_verified(one: Downloader, remote: Remote, path: Path) -> None:
    reports: list[Progress] = []
    result = await one.fetch(URL, path, checksum=sha256(remote.content), on_progress=reports.append)
    assert result.digest == sha256(remote.content)
    assert {"verifying", "finished"} <= {each.state for each in reports}


@pytest.mark.parametrize("name", ["Repr-Digest", "Content-Digest"])
async def test_the_servers_digest_is_verified(one: Downloader, remote: Remote, path: Path, name: str) -> None:
    digest = hashlib.sha256(remote.content).digest()
    remote.fields[name] = f"sha-256=:{b64encode(digest).decode()}:"
    assert (await one.fetch(URL, path)).digest == sha256(remote.content)
    assert remote.requests[0].headers["want-repr-digest"] == "sha-512=3, sha-256=10"


async def test_the_digest_of_a_part_is_not_that_of_the_file(
    from_digesting: Downloader, digesting: Digesting, path: Path
) -> None:
    assert (await from_digesting.fetch(URL, path)).digest is None
    assert path.read_bytes() == digesting.content


@pytest.mark.parametrize("size", [3 * MIB + 7, 5000], ids=["one of many", "the whole"])
async def test_a_part_with_a_wrong_digest_ends_the_download(
    from_digesting: Downloader, digesting: Digesting, path: Path, size: int
) -> None:
    digesting.content, digesting.damaged = digesting.content[:size], True
    path.write_text("old")
    with pytest.raises(DigestMismatch) as caught:
        await from_digesting.fetch(URL, path)
    assert caught.value.expected in digesting.sent
    assert (path.read_text(), names(path)) == ("old", ["target"])


async def test_the_digest_of_a_cut_part_is_not_verified(
    from_digesting: Downloader, digesting: Digesting, path: Path
) -> None:
    digesting.faults = [cut(300_000), None, cut(9)]
    await from_digesting.fetch(URL, path)
    assert path.read_bytes() == digesting.content


@pytest.mark.parametrize("checksum", [True, False], ids=["of the caller's", "of the server's"])
async def test_a_mismatch_leaves_only_the_older_file(
    one: Downloader, remote: Remote, path: Path, checksum: bool
) -> None:
    path.write_text("old")
    if not checksum:
        remote.fields["Repr-Digest"] = f"sha-256=:{b64encode(bytes(32)).decode()}:"
    with pytest.raises(DigestMismatch) as caught:
        await one.fetch(URL, path, checksum=f"sha256:{'0' * 64}" if checksum else None)
    assert (caught.value.actual, path.read_text(), names(path)) == (sha256(remote.content), "old", ["target"])


async def test_a_coded_response_is_decoded_and_its_digest_ignored(one: Downloader, remote: Remote, path: Path) -> None:
    plain, remote.content = remote.content, gzip.compress(remote.content, 1)
    remote.fields = {"Content-Encoding": "gzip", "Repr-Digest": f"sha-256=:{b64encode(bytes(32)).decode()}:"}
    remote.faults = [cut(300_000)]
    result = await one.fetch(URL, path)
    assert (path.read_bytes() == plain, result.size, remote.ranges) == (True, len(plain), [None, None])


async def test_a_digest_is_requested_once_in_each_run(one: Downloader, remote: Remote, path: Path) -> None:
    remote.faults = [cut(300_000), refused(404), None]
    with pytest.raises(BadStatus):
        await one.fetch(URL, path)
    await one.fetch(URL, path)
    assert ["want-repr-digest" in request.headers for request in remote.requests] == [True, False, True]
