"""Chunks grow for a fast client, and a slow one costs little memory."""

from async_downloads.sources.object_storage.read_ahead import ReadAhead


def test_chunks_grow_to_2_mib_and_4_of_them_are_read_ahead() -> None:
    reading = ReadAhead()
    assert (reading.chunk_bytes, reading.ahead) == (64 * 1024, 0)
    for _ in range(20):
        reading.took(reading.chunk_bytes, 0.001)
    assert (reading.chunk_bytes, reading.ahead) == (2 * 1024 * 1024, 4)


def test_after_a_pause_the_client_is_slow_again() -> None:
    reading = ReadAhead()
    for _ in range(20):
        reading.took(reading.chunk_bytes, 0.001)
    reading.took(reading.chunk_bytes, 0.2)
    assert (reading.chunk_bytes, reading.ahead) == (64 * 1024, 0)
