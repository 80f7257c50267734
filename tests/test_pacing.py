"""ChunkSizer: how large the chunks are for fast and for slow clients."""

from async_downloads.pacing import ChunkSizer

MIB = 1024 * 1024


def _chunks_until(taken: int, seconds: float, sizer: ChunkSizer) -> list[int]:
    """Send `taken` bytes to a client that needs `seconds` for each chunk; return the sizes of the chunks."""
    chunks: list[int] = []
    while sum(chunks) < taken:
        chunks.append(sizer.chunk)
        sizer.took(seconds)
    return chunks


def test_chunks_double_after_four_mebibytes_without_a_wait() -> None:
    sizer = ChunkSizer()
    assert set(_chunks_until(4 * MIB, 0.01, sizer)) == {64 * 1024}
    assert _chunks_until(2 * MIB, 0.01, sizer)[:4] == [128 * 1024, 256 * 1024, 512 * 1024, 512 * 1024]


def test_chunks_are_small_after_a_wait_and_double_after_four_mebibytes_without_another() -> None:
    sizer = ChunkSizer()
    _chunks_until(8 * MIB, 0.01, sizer)
    sizer.took(0.2)
    assert set(_chunks_until(4 * MIB, 0.01, sizer)) == {16 * 1024}
    assert sizer.chunk == 32 * 1024
