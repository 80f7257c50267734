"""Parts of other programs: what the response to the request for their last bytes proves."""

import pytest

from async_downloads.client.decisions.adoption import OVERLAP_BYTES, adoptable_version, overlap_request
from async_downloads.client.decisions.retries import TransientError
from async_downloads.client.decisions.verdict import RangeRequest, ResponseHead

MODIFIED = 1_700_000_000
MODIFIED_DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
LATER, DATE = "Tue, 14 Nov 2023 22:13:21 GMT", "Wed, 15 Nov 2023 22:13:20 GMT"
REQUEST = RangeRequest(0, 9, ranged=True, unmodified_since=MODIFIED_DATE)
PART = {"content-range": "bytes 0-8/20", "last-modified": MODIFIED_DATE, "etag": '"a"', "date": DATE}


def _head(status: int = 206, **fields: str) -> ResponseHead:
    changed = {**PART, **{name.replace("_", "-"): value for name, value in fields.items()}}
    return ResponseHead(status, {name: value for name, value in changed.items() if value}, MODIFIED + 100_000)


@pytest.mark.parametrize(
    ("size", "start"),
    [pytest.param(9, 0, id="short"), pytest.param(OVERLAP_BYTES + 7, 7, id="long")],
)
def test_the_last_bytes_are_requested_if_the_server_has_no_newer_file(size: int, start: int) -> None:
    assert overlap_request(size, MODIFIED).fields == {
        "Range": f"bytes={start}-{size - 1}",
        "If-Unmodified-Since": MODIFIED_DATE,
    }


@pytest.mark.parametrize("etag", ['"a"', 'W/"a"', ""])
def test_a_part_is_adopted_if_the_file_on_the_server_is_older(etag: str) -> None:
    version = adoptable_version(REQUEST, MODIFIED, _head(etag=etag))
    assert version
    assert (version.total, version.resumable) == (20, True)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(_head(last_modified=LATER), id="the file is newer"),
        pytest.param(_head(last_modified=""), id="no date"),
        pytest.param(_head(content_range="bytes 0-8/9", etag="", last_modified=DATE), id="whole, too new for If-Range"),
        pytest.param(_head(content_range="bytes 0-7/20"), id="fewer bytes than requested"),
        pytest.param(_head(content_range="bytes 1-8/20"), id="other bytes than requested"),
        pytest.param(_head(200, content_range=""), id="the whole file"),
        pytest.param(_head(412), id="the server refuses the condition"),
        pytest.param(_head(416, content_range="bytes */5"), id="the part is longer than the file"),
        pytest.param(_head(404), id="not found"),
    ],
)
def test_a_part_is_not_adopted_if_the_server_proves_nothing(head: ResponseHead) -> None:
    assert adoptable_version(REQUEST, MODIFIED, head) is None


def test_a_busy_server_is_asked_again() -> None:
    with pytest.raises(TransientError):
        adoptable_version(REQUEST, MODIFIED, _head(503))
