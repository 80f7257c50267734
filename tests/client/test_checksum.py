"""The digest that a file must have."""

import hashlib
import os
from base64 import b64encode
from pathlib import Path

import pytest

from async_downloads.client.checksum import Checksum
from async_downloads.errors import DigestMismatch

SHA256 = hashlib.sha256(b"abc").hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of three bytes."""
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    return path


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"sha256:{SHA256}", id="as it is written"),
        pytest.param(f"SHA-256:{SHA256.upper()}", id="in capitals"),
        pytest.param(f" sha256:{SHA256}\n", id="with blanks around"),
        pytest.param(f"sha-256={SHA256}", id="as aria2 writes it"),
        pytest.param(SHA256, id="as a list of checksums has it"),
        pytest.param(f"sha256-{b64encode(bytes.fromhex(SHA256)).decode()}", id="as npm writes it"),
    ],
)
def test_a_checksum_is_parsed(text: str) -> None:
    assert str(Checksum.parse(text)) == f"sha256:{SHA256}"


@pytest.mark.parametrize("name", ["sha512", "sha-1", "md5", "sha3-256", "blake2b"])
async def test_other_algorithms_are_known(name: str, file: Path) -> None:
    digest = hashlib.new(name.replace("sha-", "sha").replace("-", "_"), b"abc").hexdigest()
    assert await Checksum.parse(f"{name}:{digest}").matches(file)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("abc", "looks like sha256:HEX", id="no algorithm"),
        pytest.param("sha256:xyz", "looks like sha256:HEX", id="not hexadecimal"),
        pytest.param("sha256-AAA", "looks like sha256:HEX", id="no Base64"),
        pytest.param("sha256-AAAA", "64 hexadecimal digits, not 6", id="too short in Base64"),
        pytest.param("sha257:00", "unknown checksum algorithm sha257", id="unknown"),
        pytest.param("sha256:00", "a sha256 checksum has 64 hexadecimal digits, not 2; known: sha256,", id="too short"),
    ],
)
def test_a_malformed_checksum_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Checksum.parse(text)


@pytest.mark.parametrize(
    ("digests", "algorithm"),
    [
        pytest.param({"sha-256": bytes(32), "sha-512": bytes(64)}, "sha512", id="the stronger of two"),
        pytest.param({"sha-256": bytes(32)}, "sha256", id="the only one"),
    ],
)
def test_the_strongest_digest_is_chosen(digests: dict[str, bytes], algorithm: str) -> None:
    promised = Checksum.strongest(digests)
    assert promised
    assert promised.algorithm == algorithm


def test_without_a_known_digest_there_is_no_checksum() -> None:
    assert Checksum.strongest({}) is None


async def test_a_mismatch_names_both_digests(file: Path) -> None:
    wanted = Checksum("sha256", bytes(32))
    fd = os.open(file, os.O_RDONLY)
    try:
        with pytest.raises(DigestMismatch) as caught:
            await wanted.verify(fd)
    finally:
        os.close(fd)
    assert (caught.value.expected, caught.value.actual) == (str(wanted), f"sha256:{SHA256}")


async def test_a_file_with_the_digest_passes(file: Path) -> None:
    fd = os.open(file, os.O_RDONLY)
    try:
        await Checksum.parse(f"sha256:{SHA256}").verify(fd)
    finally:
        os.close(fd)


async def test_a_large_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(data := bytes(17 * 2**20) + b"end")
    assert await Checksum("sha256", hashlib.sha256(data).digest()).matches(path)


@pytest.mark.parametrize("name", ["none", "."])
async def test_a_missing_file_or_a_folder_does_not_match(tmp_path: Path, name: str) -> None:
    assert not await Checksum.parse(f"sha256:{SHA256}").matches(tmp_path / name)
