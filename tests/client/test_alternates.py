"""One file from several servers: they bring it together, and those that fail or have another file are left out."""

import base64
import hashlib
from pathlib import Path
from random import Random

import httpx
import pytest

from async_downloads.client import Downloader, FetchError, Result
from async_downloads.errors import BadResponse, BadStatus, DigestMismatch, DiskError, RetriesExhausted
from client.remote import MIB, Fault, Remote, broken, cut, ignoring_range, names, refused, sha256, with_fields

pytestmark = pytest.mark.usefixtures("quick")

URLS = tuple(f"http://{name}.example/file" for name in "abc")
LARGE = Random(1).randbytes(24 * MIB)
OLD = "Tue, 14 Nov 2023 22:13:20 GMT"


class Failures(list[tuple[str, str]]):
    """The URLs that failed, with the names of their errors."""

    def add(self, url: str, error: FetchError) -> None:
        """Note a failure."""
        self.append((url, type(error).__name__.strip("_")))


@pytest.fixture
def failed() -> Failures:
    """The arguments of all calls of `on_mirror_failure`."""
    return Failures()


async def _fetch(
    servers: dict[str, Remote], path: Path, failed: Failures, *, retries: int = 2, **options: object
) -> Result:
    transport = httpx.MockTransport(lambda request: servers[request.url.host[0]](request))
    async with httpx.AsyncClient(transport=transport) as client, Downloader(client=client, retries=retries) as loader:
        urls = URLS[: len(servers)]
        return await loader.fetch(urls[0], path, mirrors=urls[1:], on_mirror_failure=failed.add, **options)  # type: ignore[arg-type]


def _asked(remote: Remote) -> int:
    return len(remote.requests)


async def test_the_parts_come_from_all_servers_that_have_the_same_file(path: Path, failed: Failures) -> None:
    servers = {name: Remote(LARGE) for name in "abc"}
    result = await _fetch(servers, path, failed)
    assert path.read_bytes() == LARGE
    assert (result.size, failed) == (len(LARGE), [])
    assert all(map(_asked, servers.values()))
    assert result.transferred < len(LARGE) + 8 * MIB


@pytest.mark.parametrize(
    ("etag", "fields", "checksum", "mixed"),
    [
        pytest.param('"a"', {}, None, True, id="equal tags"),
        pytest.param('"b"', {}, None, False, id="other tags"),
        pytest.param('"b"', {}, sha256(LARGE), True, id="other tags and a digest"),
        pytest.param(None, {}, sha256(LARGE), False, id="no tag and a digest"),
        pytest.param(None, {"Last-Modified": OLD}, None, True, id="equal dates"),
        pytest.param(None, {"Last-Modified": "Tue, 14 Nov 2023 22:13:21 GMT"}, None, False, id="other dates"),
        pytest.param('W/"a"', {}, None, False, id="a weak tag"),
    ],
)
async def test_parts_are_combined_only_if_nothing_can_be_mixed_up(
    path: Path, failed: Failures, etag: str | None, fields: dict[str, str], checksum: str | None, mixed: bool
) -> None:
    servers = {"a": Remote(LARGE, fields={"Last-Modified": OLD}), "b": Remote(LARGE, etag=etag, fields=fields)}
    await _fetch(servers, path, failed, checksum=checksum)
    assert path.read_bytes() == LARGE
    assert failed == ([] if mixed else [(URLS[1], "NotCombinable")])


@pytest.mark.parametrize(
    ("size", "faults"),
    [
        pytest.param(len(LARGE) - 1, [], id="another size"),
        pytest.param(len(LARGE), [ignoring_range], id="no ranges"),
        pytest.param(len(LARGE), [with_fields(Content_Range="bytes 5-9/10")], id="another part"),
        pytest.param(len(LARGE), [refused(416)], id="no such part"),
    ],
)
async def test_a_server_whose_parts_do_not_fit_is_left_out(
    path: Path, failed: Failures, size: int, faults: list[Fault | None]
) -> None:
    servers = {"a": Remote(LARGE), "b": Remote(LARGE[:size], faults=faults), "c": Remote(LARGE)}
    await _fetch(servers, path, failed, checksum=sha256(LARGE))
    assert path.read_bytes() == LARGE
    assert failed == [(URLS[1], "NotCombinable")]


async def test_a_server_that_is_replaced_meanwhile_is_left_out(path: Path, failed: Failures) -> None:
    servers = {"a": Remote(LARGE), "b": Remote(LARGE)}
    servers["b"].faults = [cut(MIB), *[with_fields(ETag='"new"')] * 9]
    await _fetch(servers, path, failed)
    assert path.read_bytes() == LARGE
    assert failed in ([], [(URLS[1], "NotCombinable")])


@pytest.mark.parametrize(
    "fault",
    [refused(404), refused(503, Retry_After="0"), broken(httpx.ConnectError("refused"))],
    ids=["404", "503", "refused"],
)
async def test_a_server_that_brings_nothing_is_left_out(path: Path, failed: Failures, fault: Fault) -> None:
    servers = {"a": Remote(LARGE), "b": Remote(LARGE, faults=[fault] * 99)}
    await _fetch(servers, path, failed, retries=99)
    assert path.read_bytes() == LARGE
    assert _asked(servers["b"]) <= 4


async def test_if_the_first_server_fails_the_others_bring_the_file(path: Path, failed: Failures) -> None:
    servers = {"a": Remote(faults=[refused(404)]), "b": Remote(LARGE), "c": Remote(LARGE)}
    await _fetch(servers, path, failed)
    assert path.read_bytes() == LARGE
    assert failed == [(URLS[0], "BadStatus")]
    assert _asked(servers["c"])


async def test_if_the_first_server_breaks_off_another_one_continues(path: Path, failed: Failures) -> None:
    servers = {"a": Remote(faults=[cut(MIB), *[refused(503, Retry_After="0")] * 9]), "b": Remote()}
    await _fetch(servers, path, failed)
    assert path.read_bytes() == servers["b"].content
    assert servers["b"].requests[0].headers["range"].startswith(f"bytes={MIB}-")


async def test_a_wrong_server_is_found_by_the_digest(path: Path, failed: Failures) -> None:
    other = bytes(byte ^ 255 for byte in LARGE[:1000]) + LARGE[1000:]
    servers = {"a": Remote(other), "b": Remote(LARGE)}
    result = await _fetch(servers, path, failed, checksum=sha256(LARGE))
    assert path.read_bytes() == LARGE
    assert result.digest == sha256(LARGE)
    assert failed == [(URLS[0], "DigestMismatch")]
    assert names(path) == ["target"]


async def test_the_digest_that_a_server_sends_counts_too(path: Path, failed: Failures) -> None:
    digest = hashlib.sha256(LARGE).digest()
    field = {"Repr-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:"}
    servers = {"a": Remote(LARGE, fields=field), "b": Remote(LARGE, etag='"b"')}
    await _fetch(servers, path, failed)
    assert (path.read_bytes(), failed) == (LARGE, [])
    assert _asked(servers["b"])


async def test_of_small_files_each_server_is_tried_alone(path: Path, failed: Failures) -> None:
    servers = {"a": Remote(faults=[refused(404)]), "b": Remote(b"other bytes"), "c": Remote()}
    checksum = sha256(servers["c"].content)
    result = await _fetch(servers, path, failed, checksum=checksum)
    assert (result.digest, path.read_bytes()) == (checksum, servers["c"].content)
    assert failed == [(URLS[0], "BadStatus"), (URLS[1], "DigestMismatch")]
    assert names(path) == ["target"]


async def test_a_server_that_could_not_help_may_have_the_file_alone(path: Path, failed: Failures) -> None:
    servers = {"a": Remote(LARGE, faults=[cut(MIB), *[refused(404)] * 9]), "b": Remote(LARGE, etag='"b"')}
    await _fetch(servers, path, failed)
    assert path.read_bytes() == LARGE
    assert failed == [(URLS[1], "NotCombinable"), (URLS[0], "BadStatus")]


async def test_the_error_of_the_last_server_is_raised(path: Path, failed: Failures) -> None:
    servers = {name: Remote(faults=[refused(status)]) for name, status in (("a", 404), ("b", 410))}
    with pytest.raises(BadStatus, match="410"):
        await _fetch(servers, path, failed)
    assert [_asked(each) for each in servers.values()] == [1, 1]


async def test_servers_that_all_have_another_file_fail_one_after_the_other(path: Path, failed: Failures) -> None:
    servers = {"a": Remote(b"x"), "b": Remote(b"y"), "c": Remote(b"z")}
    with pytest.raises(DigestMismatch):
        await _fetch(servers, path, failed, checksum=sha256(b"w"))
    assert failed == [(url, "DigestMismatch") for url in URLS[:2]]


async def test_servers_that_fail_again_and_again_are_tried_in_turn(path: Path, failed: Failures) -> None:
    servers = {name: Remote(faults=[refused(503, Retry_After="0")] * 99) for name in "ab"}
    with pytest.raises(RetriesExhausted):
        await _fetch(servers, path, failed)
    assert [_asked(each) for each in servers.values()] == [3, 3]


async def test_a_local_error_is_raised_at_once(tmp_path: Path, failed: Failures) -> None:
    servers = {"a": Remote(), "b": Remote()}
    with pytest.raises(DiskError):
        await _fetch(servers, tmp_path / "missing" / "a", failed)
    assert servers["b"].requests == []


async def test_a_local_error_ends_the_search_for_a_right_server(
    path: Path, failed: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise DiskError("full")

    servers = {"a": Remote(b"x"), "b": Remote(b"y"), "c": Remote(b"z")}
    failed.add = lambda *_: monkeypatch.setattr("async_downloads.client.disk.part_pair.PartPair.make_way", full)  # type: ignore[method-assign]
    with pytest.raises(DiskError):
        await _fetch(servers, path, failed, checksum=sha256(b"w"))


async def test_an_interrupted_download_continues_from_any_server(path: Path, failed: Failures) -> None:
    servers = {name: Remote(LARGE, faults=[cut(2 * MIB), *[refused(503, Retry_After="0")] * 99]) for name in "ab"}
    with pytest.raises(RetriesExhausted):
        await _fetch(servers, path, failed)
    servers = {"a": Remote(faults=[refused(404)] * 9), "b": Remote(LARGE)}
    result = await _fetch(servers, path, failed)
    assert path.read_bytes() == LARGE
    assert result.resumed_from >= MIB


async def test_without_listener_a_failure_is_silent(path: Path) -> None:
    servers = {"a": Remote(faults=[refused(404)]), "b": Remote()}
    transport = httpx.MockTransport(lambda request: servers[request.url.host[0]](request))
    async with httpx.AsyncClient(transport=transport) as client, Downloader(client=client) as loader:
        await loader.fetch(URLS[0], path, mirrors=[URLS[1]])
    assert path.read_bytes() == servers["b"].content


async def test_tiny_parts_are_failures(path: Path, remote: Remote, four: Downloader) -> None:
    def byte(remote: Remote, request: httpx.Request) -> httpx.Response:
        start = int(request.headers["range"].removeprefix("bytes=").partition("-")[0])
        fields = {"ETag": '"a"', "Content-Range": f"bytes {start}-{start}/{len(remote.content)}"}
        return remote.streamed(206, fields, remote.content[start : start + 1])

    remote.faults = [byte] * 99
    with pytest.raises(RetriesExhausted, match="sent only 1 of") as caught:
        await four.fetch("http://example.com/file.bin", path)
    assert isinstance(caught.value.last, BadResponse)
    assert len(remote.requests) <= 4 * 6
