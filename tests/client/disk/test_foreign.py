"""Files that other programs began to download, continued on request if the server proves their version."""

import os
from pathlib import Path

import httpx
import pytest

from async_downloads.client import Downloader
from async_downloads.client.disk.foreign import ForeignPart
from async_downloads.client.disk.part_names import journal_of, part_of
from async_downloads.errors import DiskError, RetriesExhausted, TargetBusy
from client.remote import MIB, URL, Remote, broken, cut, ignoring_range, names, refused, with_fields

pytestmark = pytest.mark.usefixtures("quick")

HELD = 2 * MIB + 5
MODIFIED = 1_700_000_000
MODIFIED_DATE, LATER = "Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:13:21 GMT"


@pytest.fixture(autouse=True)
def _dated(remote: Remote) -> None:
    remote.fields["Last-Modified"] = MODIFIED_DATE


def _leave(path: Path, content: bytes) -> None:
    """Leave a file like another program whose download was interrupted."""
    path.write_bytes(content)
    os.utime(path, (MODIFIED, MODIFIED))


@pytest.mark.parametrize("named", [lambda path: path, part_of], ids=["the file of wget or curl", "a part"])
async def test_the_rest_of_another_programs_file_is_fetched(
    one: Downloader, remote: Remote, path: Path, named: type[Path]
) -> None:
    _leave(named(path), remote.content[:HELD])
    result = await one.fetch(URL, path, continues=True)
    assert (result.resumed_from, path.read_bytes() == remote.content, names(path)) == (HELD, True, ["target"])
    first, second = remote.requests
    assert first.headers["if-unmodified-since"] == MODIFIED_DATE
    assert (second.headers["if-range"], second.headers["range"][: len("bytes=") + 7]) == ('"a"', f"bytes={HELD}")


async def test_a_complete_file_of_another_program_costs_two_short_requests(
    one: Downloader, remote: Remote, path: Path
) -> None:
    _leave(path, remote.content)
    result = await one.fetch(URL, path, continues=True)
    assert (result.transferred, path.read_bytes() == remote.content) == (1, True)


async def test_a_file_to_continue_is_not_replaced_by_a_far_smaller_response(
    one: Downloader, remote: Remote, path: Path
) -> None:
    _leave(path, remote.content[:HELD])
    remote.content = b'{"error": "the quota is used up"}'
    with pytest.raises(RetriesExhausted, match="the server sent 33 bytes; target has 2097157 and is kept"):
        await one.fetch(URL, path, continues=True)
    assert path.stat().st_size == HELD
    assert (await one.fetch(URL, path)).size == 33


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\0" * HELD, id="other bytes"),
        pytest.param(b"\0" * 4 * MIB, id="longer than the server's file"),
    ],
)
async def test_a_file_with_other_bytes_stays_until_the_whole_file_replaces_it(
    one: Downloader, remote: Remote, path: Path, content: bytes
) -> None:
    _leave(path, content)
    remote.faults = [None, cut(1000), refused(404)]
    with pytest.raises(Exception, match="404"):
        await one.fetch(URL, path, continues=True)
    assert path.read_bytes() == content
    result = await one.fetch(URL, path, continues=True)
    assert (result.path.read_bytes() == remote.content, names(path)) == (True, ["target"])


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(refused(412), id="the condition fails"),
        pytest.param(ignoring_range, id="no ranges"),
        pytest.param(with_fields(Last_Modified=LATER), id="newer"),
    ],
)
async def test_a_part_without_a_proof_is_left_to_its_program(
    one: Downloader, remote: Remote, path: Path, fault: object
) -> None:
    _leave(part_of(path), remote.content[:HELD])
    remote.faults = [fault]  # type: ignore[list-item]
    with pytest.raises(TargetBusy):
        await one.fetch(URL, path, continues=True)
    assert part_of(path).read_bytes() == remote.content[:HELD]


async def test_nothing_of_another_program_is_used_without_the_option(
    one: Downloader, remote: Remote, path: Path
) -> None:
    _leave(path, remote.content[:HELD])
    assert (await one.fetch(URL, path)).resumed_from == 0
    assert len(remote.requests) == 1


async def test_a_busy_server_is_asked_again_for_the_proof(one: Downloader, remote: Remote, path: Path) -> None:
    _leave(path, remote.content[:HELD])
    remote.faults = [refused(503), broken(httpx.ReadError("reset"))]
    assert (await one.fetch(URL, path, continues=True)).resumed_from == HELD


async def test_a_server_that_cannot_be_reached_changes_no_file(one: Downloader, remote: Remote, path: Path) -> None:
    _leave(path, remote.content[:HELD])
    remote.faults = [refused(503)] * 6
    with pytest.raises(RetriesExhausted):
        await one.fetch(URL, path, continues=True)
    assert (path.read_bytes() == remote.content[:HELD], names(path)) == (True, ["target"])


async def test_an_adopted_file_is_continued_after_another_interruption(
    one: Downloader, remote: Remote, path: Path
) -> None:
    _leave(path, remote.content[:HELD])
    remote.faults = [None, cut(1000), refused(404)]
    with pytest.raises(Exception, match="404"):
        await one.fetch(URL, path, continues=True)
    assert (path.read_bytes() == remote.content[:HELD], journal_of(path).exists()) == (True, True)
    assert (await one.fetch(URL, path)).resumed_from == HELD + 1000
    assert (path.read_bytes() == remote.content, names(path)) == (True, ["target"])


@pytest.mark.parametrize("control", ["target.aria2", "target.st"])
def test_a_file_with_a_control_file_of_its_program_may_have_gaps(path: Path, control: str) -> None:
    _leave(path, b"bytes")
    assert ForeignPart.of(path)
    path.with_name(control).touch()
    assert ForeignPart.of(path) is None


def test_a_file_with_gaps_or_without_bytes_is_no_part(path: Path) -> None:
    path.touch()
    assert ForeignPart.of(path) is None
    os.truncate(path, MIB)
    assert ForeignPart.of(path) is None


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_special_file_is_no_part(path: Path, make: type[Path]) -> None:
    make(path)
    assert ForeignPart.of(path) is None


async def test_a_file_that_is_still_written_is_not_copied(one: Downloader, remote: Remote, path: Path) -> None:
    def growing(remote: Remote, request: httpx.Request) -> httpx.Response:
        _leave(path, remote.content[: HELD + 1])
        return remote.respond(request)

    _leave(path, remote.content[:HELD])
    remote.faults = [growing]
    with pytest.raises(DiskError, match="another program has changed it"):
        await one.fetch(URL, path, continues=True)
    assert (path.read_bytes() == remote.content[: HELD + 1], names(path)) == (True, ["target"])
