"""The table of digests that workers share: a damaged row counts as empty, and another version may take a row over."""

import hashlib
from zlib import crc32

import pytest

from async_downloads.sources import shared_digests
from async_downloads.sources.shared_digests import SharedDigests

_VERSION, _DIGEST = b"v" * 48, hashlib.sha256(b"").digest()


def test_a_digest_is_known_from_then_on() -> None:
    known = SharedDigests()
    assert known.get(_VERSION) is None
    known.put(_VERSION, _DIGEST)
    assert known.get(_VERSION) == _DIGEST
    assert known.get(b"w" * 48) is None


@pytest.mark.parametrize("byte", [0, 47, 48, 79, 80, 95])
def test_a_row_that_was_not_written_whole_counts_as_empty(byte: int) -> None:
    known = SharedDigests()
    known.put(_VERSION, _DIGEST)
    place = crc32(_VERSION) % shared_digests._ROWS * shared_digests._ROW_BYTES + byte
    known._memory[place] ^= 1
    assert known.get(_VERSION) is None


def test_a_version_in_the_same_row_takes_it_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_digests, "_ROWS", 1)
    known = SharedDigests()
    known.put(_VERSION, _DIGEST)
    known.put(b"w" * 48, _DIGEST[::-1])
    assert (known.get(_VERSION), known.get(b"w" * 48)) == (None, _DIGEST[::-1])
