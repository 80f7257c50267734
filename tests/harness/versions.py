"""A resource of any size whose bytes are cheap to make. The bytes of each place and of each version differ."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

__all__ = ["GIB", "MIB", "Version"]

MIB: Final = 1024 * 1024
GIB: Final = 1024 * MIB
_STEP: Final = 4099  # odd, so that the rotations repeat only after a million blocks
_BORN: Final = 1_700_000_000
_HOUR: Final = 3600


class Version:
    """One version of the resource: a block of random bytes, rotated a little further in each MiB.

    `etag` is strong, and `modified` can be used as a strong validator: it is long past, and by default versions are an
    hour apart.
    """

    def __init__(self, number: int, size: int, *, seed: int = 0, modified: int | None = None) -> None:
        self.size: Final = size
        self.etag: Final = f'"{seed}.{number}"'
        self.modified: Final = _BORN + number * _HOUR if modified is None else modified
        self._doubled = _doubled_block(seed, number)

    def pieces(self, start: int, stop: int) -> Iterator[memoryview]:
        """Yield the bytes from `start` to `stop` without copying any; no piece crosses the border of a MiB."""
        whole = memoryview(self._doubled)
        while start < stop:
            end = min(stop, (start // MIB + 1) * MIB)
            turned = _turn(start)
            yield whole[turned : turned + end - start]
            start = end

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop`."""
        return b"".join(self.pieces(start, stop))

    def difference(self, path: Path) -> str | None:
        """Say where a file differs from this version, or None."""
        if path.stat().st_size != self.size:
            return f"{path.stat().st_size} bytes instead of {self.size}"
        with path.open("rb", buffering=0) as file:
            for start in range(0, self.size, MIB):
                stop = min(start + MIB, self.size)
                if file.read(stop - start) != self.read(start, stop):
                    return f"not the same from {start} to {stop}"
        return None


def _turn(offset: int) -> int:
    """Return the position, in the doubled block, of the byte at an offset."""
    number, within = divmod(offset, MIB)
    return (number * _STEP + within) % MIB


@cache
def _doubled_block(seed: int, number: int) -> bytes:
    return Random(f"{seed}.{number}").randbytes(MIB) * 2
