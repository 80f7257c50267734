"""Arguments that Flask refuses or sends only in part: asynchronous iterators, sources, all kinds of file objects."""

import gzip
import io
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import IO, Any, Final, cast

import aiofiles
import pytest
from harness.asgi import Exchange
from harness.process import descriptors
from harness.sources import SlicedSource
from harness.waiting import eventually
from quart import Response, request
from quart.datastructures import FileStorage

from async_downloads import send_file, send_source
from async_downloads.errors import SourceTruncated
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation, Validators
from quart_api.apps import exchange, quart_app
from quart_api.conftest import CONTENT

CHUNKS: Final = (b"first,", b"", b"second,", b"third")
DESCRIBED: Final = Representation(len(CONTENT), "image/webp", None, Validators(ETag("v1"), 1_600_000_000), "x.webp")


class Counted:
    """An iterator with neither generator nor `aclose` behind it."""

    def __init__(self) -> None:
        self._left = list(CHUNKS)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop(0)


class Hasty(SlicedSource):
    """A source that has bytes in memory, but no longer the ones that it described."""

    def read_nowait(self, span: ByteRange) -> bytes | None:
        raise SourceTruncated("it ended")


async def response_to(
    given: object, *fields: tuple[str, str], with_init: bool, method: str = "GET", **how: Any
) -> Exchange:
    async def view() -> object:
        return await send_file(given, **how)  # type: ignore[arg-type]  # the objects under test are of many kinds

    return await exchange(quart_app(Path("/"), view, with_init=with_init), *fields, method=method)


def opened(content: bytes, folder: Path) -> IO[bytes]:
    path = folder / "given.bin"
    path.write_bytes(content)
    return path.open("rb")


def packed(content: bytes, folder: Path) -> IO[bytes]:
    path = folder / "given.gz"
    path.write_bytes(gzip.compress(content))
    return cast("IO[bytes]", gzip.open(path))


def unbuffered(content: bytes, folder: Path) -> IO[bytes]:
    opened(content, folder).close()
    return io.FileIO(folder / "given.bin")


def piped(content: bytes, _: Path) -> IO[bytes]:
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return os.fdopen(reading, "rb")


def temporary(content: bytes, folder: Path) -> IO[bytes]:
    file = tempfile.NamedTemporaryFile(dir=folder)  # noqa: SIM115 - whether it is closed is the question
    file.write(content)
    file.seek(0)
    return file


def spooled(content: bytes, _: Path) -> IO[bytes]:
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115 - whether it is closed is the question
    file.write(content)
    file.seek(0)
    return file


def rolled(content: bytes, folder: Path) -> IO[bytes]:
    file = cast("tempfile.SpooledTemporaryFile[bytes]", spooled(content, folder))
    file.rollover()
    return file


def wrapped(content: bytes, _: Path) -> IO[bytes]:
    return io.BufferedReader(io.BytesIO(content))


REGULAR = [opened, unbuffered, temporary, spooled, rolled]
STREAMED = [packed, piped, wrapped]


async def test_an_asynchronous_iterator_is_sent_to_its_end(with_init: bool) -> None:
    response = await response_to(Counted(), mimetype="text/csv", with_init=with_init)
    assert (response.status, response.body) == (200, b"first,second,third")


async def test_an_iterator_has_neither_length_nor_ranges(with_init: bool) -> None:
    response = await response_to(Counted(), ("Range", "bytes=0-3"), mimetype="text/csv", with_init=with_init)
    assert (response.status, response.fields.get("content-length"), response.fields["accept-ranges"]) == (
        200,
        None,
        "none",
    )


async def test_a_generator_is_closed_at_the_end(with_init: bool) -> None:
    ended = []

    async def chunks() -> AsyncGenerator[bytes, None]:
        try:
            for chunk in CHUNKS:
                yield chunk
        finally:
            ended.append(True)

    response = await response_to(chunks(), download_name="x.csv", as_attachment=True, with_init=with_init)
    assert (response.fields["content-disposition"], ended) == ("attachment; filename=x.csv", [True])


async def test_a_head_request_does_not_start_a_generator(with_init: bool) -> None:
    begun = []

    async def chunks() -> AsyncGenerator[bytes, None]:
        begun.append(True)
        yield b""

    response = await response_to(chunks(), mimetype="text/csv", method="HEAD", with_init=with_init)
    assert (response.status, response.body, begun) == (200, b"", [])


@pytest.mark.parametrize("size", [100, 1_000_000], ids=["small", "large"])
@pytest.mark.parametrize("kind", REGULAR, ids=lambda kind: kind.__name__)
async def test_a_regular_file_is_sent_from_its_position_and_closed(
    tmp_path: Path, kind: Any, size: int, with_init: bool
) -> None:
    content = (CONTENT * 500)[:size]
    file = kind(content, tmp_path)
    file.seek(40)
    response = await response_to(file, mimetype="a/b", with_init=with_init)
    assert (response.body, response.fields["content-length"]) == (content[40:], str(size - 40))
    await eventually(lambda: file.closed)  # a thread closes some of them


@pytest.mark.parametrize("kind", REGULAR, ids=lambda kind: kind.__name__)
async def test_ranges_of_a_regular_file_count_from_its_position(tmp_path: Path, kind: Any, with_init: bool) -> None:
    file = kind(CONTENT, tmp_path)
    file.seek(40)
    response = await response_to(file, ("Range", "bytes=2-5"), mimetype="a/b", with_init=with_init)
    assert (response.status, response.body) == (206, CONTENT[42:46])
    await eventually(lambda: file.closed)


@pytest.mark.parametrize("kind", STREAMED, ids=lambda kind: kind.__name__)
async def test_another_file_object_is_streamed_and_closed(tmp_path: Path, kind: Any, with_init: bool) -> None:
    file = kind(CONTENT, tmp_path)
    response = await response_to(file, mimetype="a/b", with_init=with_init)
    assert (response.status, response.body, response.fields.get("content-length")) == (200, CONTENT, None)
    await eventually(lambda: file.closed)  # a thread closes it, maybe after the client has the whole response


@pytest.mark.parametrize("kind", STREAMED, ids=lambda kind: kind.__name__)
async def test_another_file_object_is_closed_after_a_head_request(tmp_path: Path, kind: Any, with_init: bool) -> None:
    file = kind(CONTENT, tmp_path)
    response = await response_to(file, mimetype="a/b", method="HEAD", with_init=with_init)
    assert (response.status, response.body) == (200, b"")
    await eventually(lambda: file.closed)


@pytest.mark.parametrize(("method", "body"), [("GET", CONTENT * 500), ("HEAD", b"")])
async def test_an_asynchronous_file_is_streamed_and_closed(
    tmp_path: Path, method: str, body: bytes, with_init: bool
) -> None:
    opened(CONTENT * 500, tmp_path).close()
    file = await aiofiles.open(tmp_path / "given.bin", "rb")
    response = await response_to(file, mimetype="a/b", method=method, with_init=with_init)
    assert (response.status, response.body) == (200, body)
    await eventually(lambda: file.closed)


async def test_a_file_is_closed_after_a_head_request(tmp_path: Path, with_init: bool) -> None:
    file = opened(CONTENT * 500, tmp_path)
    await response_to(file, mimetype="a/b", method="HEAD", with_init=with_init)
    assert (file.closed, descriptors(tmp_path / "given.bin")) == (True, {})


async def test_a_mistake_in_the_call_closes_the_file(tmp_path: Path, with_init: bool) -> None:
    response = await response_to(opened(CONTENT, tmp_path), mimetype="a/b", etag='"', with_init=with_init)
    assert (response.status, descriptors(tmp_path / "given.bin")) == (500, {})


async def test_a_source_is_described_by_itself_and_closed(with_init: bool) -> None:
    source = SlicedSource(CONTENT, representation=DESCRIBED)
    response = await response_to(source, ("Range", "bytes=-5"), with_init=with_init)
    assert (response.status, response.body, source.closed) == (206, CONTENT[-5:], True)
    found = {name: response.fields[name] for name in ("content-type", "etag", "content-disposition")}
    assert found == {"content-type": "image/webp", "etag": '"v1"', "content-disposition": "inline; filename=x.webp"}


async def test_send_source_takes_the_options_of_send_file(with_init: bool) -> None:
    source = SlicedSource(CONTENT, representation=DESCRIBED)

    async def view() -> object:
        return await send_source(source, mimetype="text/html", download_name="a.html", etag="v2", as_attachment=True)

    response = await exchange(quart_app(Path("/"), view, with_init=with_init))
    found = [response.fields[name] for name in ("content-type", "etag", "content-disposition")]
    assert found == ["text/html; charset=utf-8", '"v2"', "attachment; filename=a.html"]


async def test_a_source_that_fails_before_anything_is_sent_is_a_bad_gateway(with_init: bool) -> None:
    source = Hasty(CONTENT, representation=DESCRIBED)
    response = await response_to(source, with_init=with_init)
    assert (response.status, source.closed) == (502, True)


@pytest.mark.parametrize("content", [pytest.param(b"small", id="in memory"), pytest.param(CONTENT * 400, id="on disk")])
async def test_an_upload_is_sent_back_although_quart_closes_it_before(tmp_path: Path, content: bytes) -> None:
    async def back() -> Response:
        return await send_file((await request.files)["file"], mimetype="text/own")

    app = quart_app(tmp_path, back, with_init=True)
    (tmp_path / "sent").write_bytes(content)
    with (tmp_path / "sent").open("rb") as file:
        response = await app.test_client().post("/", files={"file": FileStorage(file, "sent")})
    assert (response.status_code, await response.get_data()) == (200, content)
