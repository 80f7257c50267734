"""Chunks grow for a fast client, and a slow one costs little memory."""

from async_downloads.sources.object_storage.read_ahead import ReadAhead

_KIB = 1024


def _after(*taken: tuple[int, float]) -> tuple[int, int]:
    reading = ReadAhead()
    for count, seconds in taken:
        reading.took(count, seconds)
    return reading.chunk_bytes, reading.ahead


def test_a_client_begins_with_small_chunks_and_none_ahead() -> None:
    assert _after() == (64 * _KIB, 0)


def test_one_chunk_is_read_ahead_for_a_steady_client() -> None:
    assert _after(*[(64 * _KIB, 0.01)] * 4) == (64 * _KIB, 1)
    assert _after(*[(64 * _KIB, 0.01)] * 31) == (64 * _KIB, 1)


def test_chunks_grow_to_2_mib_and_4_of_them_are_read_ahead() -> None:
    assert _after(*[(64 * _KIB, 0.01)] * 33) == (256 * _KIB, 1)
    assert _after(*[(64 * _KIB, 0.01)] * 60) == (2048 * _KIB, 4)


def test_after_a_pause_the_client_is_slow_again() -> None:
    assert _after(*[(64 * _KIB, 0.01)] * 60, (64 * _KIB, 0.2)) == (64 * _KIB, 0)
