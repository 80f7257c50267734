"""The last line of `get` for several files, and the counts for a program."""

import re
from pathlib import Path

import pytest

from async_downloads.client import Result
from async_downloads.commands.get_tally import Tally
from async_downloads.semantics.representation import Validators


def _result(size: int, transferred: int, *, resumed_from: int = 0, unchanged: bool = False) -> Result:
    return Result(Path("a"), size, transferred, resumed_from, Validators(), None, unchanged=unchanged)


@pytest.mark.parametrize(
    ("results", "shown"),
    [
        pytest.param([_result(25_000_013, 26_600_000)], "1 file: 1 downloaded, 25.0 MB in", id="some bytes came twice"),
        pytest.param([_result(3_000_000, 1_000_000, resumed_from=2_000_000)], "3.0 MB in", id="resumed"),
        pytest.param([_result(1_000_000, 1_000_000)] * 2, "2 files: 2 downloaded, 2.0 MB in", id="two files"),
        pytest.param(
            [_result(1_000_000, 1_000_000), _result(5_000_000, 0, unchanged=True)],
            "2 files: 1 downloaded, 1.0 MB in",
            id="one was complete before",
        ),
    ],
)
def test_the_sum_is_that_of_the_sizes_of_the_files_that_were_downloaded(results: list[Result], shown: str) -> None:
    tally = Tally()
    for result in results:
        tally.add(result)
    assert shown in str(tally)
    assert tally.as_dict()["transferred"] == sum(each.transferred for each in results)


def test_the_speed_is_that_of_the_bytes_that_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    tally = Tally()
    tally.add(_result(3_000_000, 1_000_000, resumed_from=2_000_000))
    now = 2.0
    assert re.search(r"3\.0 MB in 2\.0 s \(500\.0 kB/s\)", str(tally))


def test_files_that_were_complete_before_have_no_size_in_it() -> None:
    tally = Tally()
    tally.add(_result(5_000_000, 0, unchanged=True))
    assert str(tally) == "1 file: 0 downloaded, 1 already complete"
