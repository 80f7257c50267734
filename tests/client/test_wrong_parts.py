"""Parts that are not what was asked for: none of their bytes gets into the file."""

import gzip
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest
from harness.chaos import Chaos, Faults
from harness.origin import Answer, Request
from harness.versions import MIB, Version

from async_downloads.client import download
from async_downloads.errors import FetchError

SIZE: Final = 5 * MIB + 11
FAULTS: Final = Faults(size=SIZE, cut=(2 * MIB, 2 * MIB))
RIGHT, OTHER = Version(0, SIZE), Version(1, SIZE)

Change = Callable[[Answer, int, int], Answer]


def _with(answer: Answer, **fields: str) -> Answer:
    """Replace fields, or leave them out where nothing is given; an underscore in a name is a hyphen."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return replace(answer, fields={name: value for name, value in {**answer.fields, **named}.items() if value})


def _part(answer: Answer, start: int, stop: int, *, size: int | str = SIZE, version: Version = RIGHT) -> Answer:
    """Send other bytes of a version, and say so."""
    length = {"Content_Length": str(stop - start), "Content_Range": f"bytes {start}-{stop - 1}/{size}"}
    return replace(_with(answer, ETag=version.etag, **length), body=version.pieces(start, stop))


def _multipart(answer: Answer, start: int, stop: int) -> Answer:
    head = f"--x\r\nContent-Range: bytes {start}-{stop - 1}/{SIZE}\r\n\r\n".encode()
    body = head + RIGHT.read(start, stop) + b"\r\n--x--\r\n"
    fields = {"Content_Type": "multipart/byteranges; boundary=x", "Content_Length": str(len(body))}
    return replace(_with(answer, Content_Range="", **fields), body=[body])


def _coded(answer: Answer, start: int, stop: int) -> Answer:
    body = gzip.compress(RIGHT.read(start, stop), 1)
    return replace(_with(answer, Content_Encoding="gzip", Content_Length=str(len(body))), body=[body])


def _short(answer: Answer, start: int, stop: int) -> Answer:
    """Send half of it; its length is right, and so is what it says of the range."""
    half = (stop - start) // 2
    return replace(_with(answer, Content_Length=str(half)), body=RIGHT.pieces(start, start + half))


def _long(answer: Answer, start: int, stop: int) -> Answer:
    """Send more than it says of the range."""
    body = RIGHT.read(start, stop) + b"more"
    return replace(_with(answer, Content_Length=str(len(body))), body=[body])


WRONG: Final[Mapping[str, Change]] = {
    "it begins later": lambda answer, start, stop: _part(answer, start + 1, stop),
    "it begins earlier": lambda answer, start, stop: _part(answer, max(start - 1, 0), stop),
    "it is the first": lambda answer, start, stop: _part(answer, 0, stop - start),
    "of another size": lambda answer, start, stop: _part(answer, start, stop, size=SIZE + 1),
    "of another version": lambda answer, start, stop: _part(answer, start, stop, version=OTHER),
    "of no version": lambda answer, start, stop: _with(answer, ETag="", Last_Modified=""),
    "its ETag is weak": lambda answer, start, stop: _with(answer, ETag=f"W/{RIGHT.etag}"),
    "no Content-Range": lambda answer, start, stop: _with(answer, Content_Range=""),
    "malformed Content-Range": lambda answer, start, stop: _with(answer, Content_Range=f"bytes {start}-/{SIZE}"),
    "no numbers": lambda answer, start, stop: _with(answer, Content_Range=f"bytes \u00b2-\u00b3/{SIZE}"),
    "unsatisfied": lambda answer, start, stop: _with(answer, Content_Range=f"bytes */{SIZE}"),
    "it ends before it begins": lambda answer, start, stop: _with(answer, Content_Range=f"bytes {stop}-{start}/{SIZE}"),
    "beyond the end": lambda answer, start, stop: _with(answer, Content_Range=f"bytes {start}-{9**40}/{SIZE}"),
    "another unit": lambda answer, start, stop: _with(answer, Content_Range=f"lines {start}-{stop - 1}/{SIZE}"),
    "several parts": _multipart,
    "a coding": _coded,
    "shorter than it says": _short,
    "longer than it says": _long,
}
HARMLESS: Final[Mapping[str, Change]] = {
    "longer than was asked": lambda answer, start, stop: _part(answer, start, min(stop + MIB, SIZE)),
    "shorter than was asked": lambda answer, start, stop: _part(answer, start, start + (stop - start + 1) // 2),
    "of unknown size": lambda answer, start, stop: _part(answer, start, stop, size="*"),
    "capitals": lambda answer, start, stop: _with(answer, Content_Range=f"BYTES {start}-{stop - 1}/{SIZE}"),
}


@dataclass(slots=True)
class _Spoil:
    """Changes parts, as many as it is told."""

    change: Change
    times: float = float("inf")
    done: int = field(default=0)

    def __call__(self, request: Request, answer: Answer) -> Answer:
        if answer.status != 206 or self.done >= self.times:
            return answer
        self.done += 1
        first, last = answer.fields["Content-Range"].removeprefix("bytes ").partition("/")[0].split("-")
        return self.change(answer, int(first), int(last) + 1)


def _table(changes: Mapping[str, Change]) -> list[object]:
    return [pytest.param(change, id=name) for name, change in changes.items()]


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("change", _table(WRONG))
async def test_after_a_part_that_is_wrong_the_file_is_right(tmp_path: Path, change: Change, connections: int) -> None:
    fault = _Spoil(change, times=1)
    async with Chaos(FAULTS, fault).listening() as url:
        await download(url, tmp_path / "target", connections=connections)
    assert fault.done
    assert RIGHT.difference(tmp_path / "target") is None


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("change", _table(WRONG))
async def test_where_all_parts_are_wrong_none_gets_into_the_file(
    tmp_path: Path, change: Change, connections: int
) -> None:
    fault, part_file = _Spoil(change), tmp_path / "target"
    async with Chaos(FAULTS, fault).listening() as url:
        with suppress(FetchError):
            await download(url, part_file, connections=connections, retries=1)
    assert fault.done
    assert not part_file.exists() or RIGHT.difference(part_file) is None


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("change", _table(HARMLESS))
async def test_a_part_that_can_be_used_is(tmp_path: Path, change: Change, connections: int) -> None:
    chaos = Chaos(FAULTS, _Spoil(change))
    async with chaos.listening() as url:
        await download(url, tmp_path / "target", connections=connections)
    assert RIGHT.difference(tmp_path / "target") is None
    assert chaos.sent < 2 * SIZE
