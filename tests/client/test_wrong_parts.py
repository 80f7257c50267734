"""Parts other than requested: none of their bytes gets into the file."""

import gzip
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest
from harness.chaos import Chaos, Faults
from harness.origin import OriginResponse, Request
from harness.versions import MIB, Version

from async_downloads.client import download
from async_downloads.errors import FetchError

SIZE: Final = 5 * MIB + 11
FAULTS: Final = Faults(size=SIZE, cut=(2 * MIB, 2 * MIB))
RIGHT, OTHER = Version(0, SIZE), Version(1, SIZE)

Change = Callable[[OriginResponse, int, int], OriginResponse]


def _with(response: OriginResponse, **fields: str) -> OriginResponse:
    """Replace fields. An underscore in a name is a hyphen; an empty value removes the field."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return replace(response, fields={name: value for name, value in {**response.fields, **named}.items() if value})


def _part(
    response: OriginResponse, start: int, stop: int, *, size: int | str = SIZE, version: Version = RIGHT
) -> OriginResponse:
    """Send other bytes of a version, with the Content-Range of these bytes."""
    length = {"Content_Length": str(stop - start), "Content_Range": f"bytes {start}-{stop - 1}/{size}"}
    return replace(_with(response, ETag=version.etag, **length), body=version.pieces(start, stop))


def _multipart(response: OriginResponse, start: int, stop: int) -> OriginResponse:
    head = f"--x\r\nContent-Range: bytes {start}-{stop - 1}/{SIZE}\r\n\r\n".encode()
    body = head + RIGHT.read(start, stop) + b"\r\n--x--\r\n"
    fields = {"Content_Type": "multipart/byteranges; boundary=x", "Content_Length": str(len(body))}
    return replace(_with(response, Content_Range="", **fields), body=[body])


def _coded(response: OriginResponse, start: int, stop: int) -> OriginResponse:
    body = gzip.compress(RIGHT.read(start, stop), 1)
    return replace(_with(response, Content_Encoding="gzip", Content_Length=str(len(body))), body=[body])


def _short(response: OriginResponse, start: int, stop: int) -> OriginResponse:
    """Send half of the range, with the right length but the Content-Range of all of it."""
    half = (stop - start) // 2
    return replace(_with(response, Content_Length=str(half)), body=RIGHT.pieces(start, start + half))


def _long(response: OriginResponse, start: int, stop: int) -> OriginResponse:
    """Send more bytes than the Content-Range says."""
    body = RIGHT.read(start, stop) + b"more"
    return replace(_with(response, Content_Length=str(len(body))), body=[body])


WRONG: Final[Mapping[str, Change]] = {
    "it starts later": lambda response, start, stop: _part(response, start + 1, stop),
    "it starts earlier": lambda response, start, stop: _part(response, max(start - 1, 0), stop),
    "it starts at 0": lambda response, start, stop: _part(response, 0, stop - start),
    "of another size": lambda response, start, stop: _part(response, start, stop, size=SIZE + 1),
    "of another version": lambda response, start, stop: _part(response, start, stop, version=OTHER),
    "of no version": lambda response, start, stop: _with(response, ETag="", Last_Modified=""),
    "its ETag is weak": lambda response, start, stop: _with(response, ETag=f"W/{RIGHT.etag}"),
    "no Content-Range": lambda response, start, stop: _with(response, Content_Range=""),
    "malformed Content-Range": lambda response, start, stop: _with(response, Content_Range=f"bytes {start}-/{SIZE}"),
    "non-ASCII digits": lambda response, start, stop: _with(response, Content_Range=f"bytes \u00b2-\u00b3/{SIZE}"),
    "unsatisfied": lambda response, start, stop: _with(response, Content_Range=f"bytes */{SIZE}"),
    "it ends too early": lambda response, start, stop: _with(response, Content_Range=f"bytes {stop}-{start}/{SIZE}"),
    "beyond the end": lambda response, start, stop: _with(response, Content_Range=f"bytes {start}-{9**40}/{SIZE}"),
    "another unit": lambda response, start, stop: _with(response, Content_Range=f"lines {start}-{stop - 1}/{SIZE}"),
    "several parts": _multipart,
    "a coding": _coded,
    "shorter than it says": _short,
    "longer than it says": _long,
}
HARMLESS: Final[Mapping[str, Change]] = {
    "longer than requested": lambda response, start, stop: _part(response, start, min(stop + MIB, SIZE)),
    "shorter than requested": lambda response, start, stop: _part(response, start, start + (stop - start + 1) // 2),
    "of unknown size": lambda response, start, stop: _part(response, start, stop, size="*"),
    "capitals": lambda response, start, stop: _with(response, Content_Range=f"BYTES {start}-{stop - 1}/{SIZE}"),
}


@dataclass(slots=True)
class _Spoil:
    """Changes the first `times` parts."""

    change: Change
    times: float = float("inf")
    done: int = field(default=0)

    def __call__(self, request: Request, response: OriginResponse) -> OriginResponse:
        if response.status != 206 or self.done >= self.times:
            return response
        self.done += 1
        first, last = response.fields["Content-Range"].removeprefix("bytes ").partition("/")[0].split("-")
        return self.change(response, int(first), int(last) + 1)


def _table(changes: Mapping[str, Change]) -> list[object]:
    return [pytest.param(change, id=name) for name, change in changes.items()]


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("change", _table(WRONG))
async def test_a_file_is_right_after_one_wrong_part(tmp_path: Path, change: Change, connections: int) -> None:
    fault = _Spoil(change, times=1)
    async with Chaos(FAULTS, fault).listening() as url:
        await download(url, tmp_path / "target", connections=connections)
    assert fault.done
    assert RIGHT.difference(tmp_path / "target") is None


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("change", _table(WRONG))
async def test_no_wrong_part_gets_into_the_file(tmp_path: Path, change: Change, connections: int) -> None:
    fault, path = _Spoil(change), tmp_path / "target"
    async with Chaos(FAULTS, fault).listening() as url:
        with suppress(FetchError):
            await download(url, path, connections=connections, retries=1)
    assert fault.done
    assert not path.exists() or RIGHT.difference(path) is None


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("change", _table(HARMLESS))
async def test_an_unusual_but_correct_part_is_used(tmp_path: Path, change: Change, connections: int) -> None:
    chaos = Chaos(FAULTS, _Spoil(change))
    async with chaos.listening() as url:
        await download(url, tmp_path / "target", connections=connections)
    assert RIGHT.difference(tmp_path / "target") is None
    assert chaos.sent < 2 * SIZE
