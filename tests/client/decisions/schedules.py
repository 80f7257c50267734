"""Steps of a schedule of a file of 100 MiB."""

from typing import Final

from async_downloads.client.decisions.schedule import Schedule
from async_downloads.client.decisions.segment import MIB, Admission, Segment
from async_downloads.client.decisions.verdict import Partial
from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Validators

__all__ = ["SIZE", "STRONG", "parts", "take"]

SIZE: Final = 100 * MIB
STRONG: Final = RemoteVersion(SIZE, Validators(ETag("a")), '"a"')


def take(schedule: Schedule) -> Segment:
    """Take a segment; there must be one."""
    segment = schedule.take()
    assert segment
    return segment


def parts(schedule: Schedule, version: RemoteVersion = STRONG) -> Segment:
    """Apply a part as the first response, which proves ranges; return its segment."""
    segment = take(schedule)
    stop = segment.stop or SIZE
    assert schedule.apply(segment, Partial(version, ByteRange(segment.done, stop))) is Admission.STORE
    return segment
