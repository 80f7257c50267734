"""Store the body of a response in its segment, whose end may change meanwhile."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from .decisions.schedule import Schedule
from .decisions.segment import Segment
from .disk.batch_writer import BatchWriter, SegmentWriter
from .rate import RateLimit
from .reporter import Reporter

__all__ = ["BodyStorage"]


@dataclass(frozen=True, slots=True)
class BodyStorage:
    """Writes the bodies of one download, no faster than its rate limit, and reports the progress."""

    schedule: Schedule
    rate: RateLimit
    reporter: Reporter

    async def store(
        self,
        segment: Segment,
        chunks: AsyncIterator[bytes],
        batch_writer: BatchWriter,
        on_chunk: Callable[[], object],
    ) -> bool:
        """Write a body up to the end of its segment. Return whether the body was read to its own end.

        If it was not, the connection cannot be used again. This happens if a running segment was split.
        """
        writer = SegmentWriter(batch_writer, segment)
        try:
            async for chunk in chunks:
                await self.rate.consume(len(chunk))
                room = self._room(segment, writer.end, len(chunk))
                await writer.put(chunk[:room])
                self.reporter.received += len(chunk)
                self.reporter.advanced()
                on_chunk()
                if room < len(chunk) or (self.schedule.complete and not segment.ranged and segment.left):
                    return False
        finally:
            await writer.aclose()
        return True

    def _room(self, segment: Segment, position: int, size: int) -> int:
        """Return how many of the next `size` bytes of a body belong to its segment, which may be extended for them."""
        while segment.stop is not None and segment.stop < position + size:
            if not self.schedule.extend(segment):
                return max(segment.stop - position, 0)
        return size
