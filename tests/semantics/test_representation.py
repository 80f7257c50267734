"""RFC 9110 §8.8.2.1: no date lies in the future."""

import pytest

from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import RequestHead, Validators

NOW = 1_000_000_000


@pytest.mark.parametrize(
    ("last_modified", "expected"),
    [
        pytest.param(NOW + 1, NOW, id="§8.8.2.1 a date in the future is sent as now"),
        pytest.param(NOW, NOW, id="§8.8.2.1 now"),
        pytest.param(NOW - 1, NOW - 1, id="§8.8.2.1 the past"),
        pytest.param(-(10**12), 0, id="§5.6.7 before any year that can be written"),
        pytest.param(None, None, id="§8.8.2 no date"),
    ],
)
def test_a_date_is_never_later_than_now(last_modified: int | None, expected: int | None) -> None:
    assert Validators(ETag("v1"), last_modified).at(NOW) == Validators(ETag("v1"), expected)


def test_a_request_head_has_no_fields_unless_given() -> None:
    assert RequestHead("GET", NOW).fields == {}
