"""The tree of errors: it is as drawn, and each error of a download has an exit code."""

import re
from collections.abc import Iterator

import pytest

from async_downloads import errors
from async_downloads.errors import BadStatus, DigestMismatch, DownloadError, FetchError, RetriesExhausted, Stalled


def _drawn() -> list[tuple[int, str, str]]:
    """Return depth, name and number of each error in the drawing."""
    lines = re.findall(r"^    ((?:[│ ]   )*)(?:[├└]── )(\w+) +(\d*)", errors.__doc__ or "", re.MULTILINE)
    return [(len(indent) // 4 + 1, name, number) for indent, name, number in lines]


def _defined(error: type[DownloadError], depth: int = 0) -> Iterator[tuple[int, str, str]]:
    """Return the same for each error class of the module."""
    for child in error.__subclasses__():
        number = child.exit_code if issubclass(child, FetchError) else child.status
        yield depth + 1, child.__name__, str(number)
        yield from _defined(child, depth + 1)


def test_the_tree_is_as_it_is_drawn() -> None:
    numberless = {"SendStalled": "500", "RetriesExhausted": "1"}
    drawn = [(depth, name, number or numberless[name]) for depth, name, number in _drawn()]
    assert drawn == [each for each in _defined(DownloadError) if each[1] in errors.__all__]
    assert {name for _, name, _ in drawn} | {"DownloadError"} == set(errors.__all__)


@pytest.mark.parametrize(
    ("error", "code", "expected"),
    [
        pytest.param(BadStatus(404), 8, "the server responded 404 Not Found", id="a status"),
        pytest.param(BadStatus(599), 8, "the server responded 599", id="an unknown status"),
        pytest.param(BadStatus(401), 6, "the server responded 401 Unauthorized", id="401"),
        pytest.param(BadStatus(407, "who?"), 6, "who?", id="407"),
        pytest.param(
            DigestMismatch("sha256:aa", "sha256:bb"),
            9,
            "the digest is sha256:bb, but should be sha256:aa",
            id="digests",
        ),
        pytest.param(RetriesExhausted(Stalled("too slow"), tries=6), 4, "gave up after 6 tries: too slow", id="tries"),
        pytest.param(RetriesExhausted(BadStatus(503, "no"), tries=1), 8, "gave up after 1 try: no", id="one try"),
    ],
)
def test_an_error_ends_a_command_with(error: FetchError, code: int, expected: str) -> None:
    assert (error.exit_code, str(error)) == (code, expected)
