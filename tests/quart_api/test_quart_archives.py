"""`send_archive`: paths, folders and sources in one response."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.process import descriptors
from harness.sources import SlicedSource
from sources.archive.unpacking import unpacked

from async_downloads import send_archive
from async_downloads.quart.archives import ArchiveItem
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import Representation, Validators
from async_downloads.sources.streams import StreamSource
from quart_api.apps import exchange, quart_app


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root path of the app, with files."""
    (tmp_path / "reports" / "2026").mkdir(parents=True)
    (tmp_path / "reports" / "2026" / "q3.txt").write_text("all is well")
    (tmp_path / "reports" / ".hidden").write_text("hidden")
    (tmp_path / "large.bin").write_bytes(os.urandom(300_000))
    (tmp_path / "small.txt").write_text("small")
    (tmp_path / "empty").write_bytes(b"")
    return tmp_path


def _described(data: bytes, name: str | None = "made.txt") -> SlicedSource:
    return SlicedSource(data, representation=Representation(len(data), validators=Validators(ETag("1")), filename=name))


@pytest.mark.parametrize("with_init", [True, False])
async def test_files_folders_and_sources_are_sent_as_one_archive(root: Path, *, with_init: bool) -> None:
    async def view() -> Any:
        members: list[ArchiveItem] = [
            "reports",
            (root / "large.bin", "data/large.bin"),
            "small.txt",
            "empty",
            _described(b"made"),
        ]
        return await send_archive([*members, (_described(b"two"), "two.txt")], "all.zip")

    response = await exchange(quart_app(root, view, with_init=with_init))
    assert response.status == 200
    assert response.fields["content-disposition"] == "attachment; filename=all.zip"
    assert response.fields["content-type"] == "application/zip"
    assert int(response.fields["content-length"]) == len(response.body)
    assert unpacked(response.body) == {
        "reports/2026/q3.txt": b"all is well",
        "data/large.bin": (root / "large.bin").read_bytes(),
        "small.txt": b"small",
        "empty": b"",
        "made.txt": b"made",
        "two.txt": b"two",
    }
    assert not [place for place in descriptors().values() if place.startswith(str(root))]


async def test_ranges_and_conditions_apply(root: Path) -> None:
    async def view() -> Any:
        return await send_archive(["large.bin", "small.txt"], "all.tar")

    app = quart_app(root, view, with_init=True)
    whole = await exchange(app)
    part = await exchange(app, ("range", "bytes=1000-200000"), ("if-range", whole.fields["etag"]))
    assert (part.status, part.body) == (206, whole.body[1000:200_001])
    assert (await exchange(app, ("if-none-match", whole.fields["etag"]))).status == 304
    assert unpacked(whole.body, "tar")["small.txt"] == b"small"


async def test_hidden_files_are_sent_on_request(root: Path) -> None:
    async def view() -> Any:
        return await send_archive([("reports", "")], "all", hidden=True, as_attachment=False)

    response = await exchange(quart_app(root, view, with_init=True))
    assert response.fields["content-disposition"] == "inline; filename=all.zip"
    assert set(unpacked(response.body)) == {"2026/q3.txt", ".hidden"}


async def test_names_of_members_are_made_safe_and_unique(root: Path) -> None:
    async def view() -> Any:
        names = ["../up", "/etc/passwd", "same", "same", "C:\\x"]
        return await send_archive([("small.txt", name) for name in names], "all")

    response = await exchange(quart_app(root, view, with_init=True))
    assert list(unpacked(response.body)) == ["__/up", "etc/passwd", "same", "same (2)", "C__x"]


@pytest.mark.parametrize(
    ("item", "raised"),
    [
        pytest.param(lambda root: "missing", FileNotFoundError, id="no such file"),
        pytest.param(lambda root: root / "pipe", OSError, id="a pipe"),
        pytest.param(lambda root: _described(b"x", None), ValueError, id="a source without a name"),
        pytest.param(lambda root: (_stream(), "x"), ValueError, id="a source without a size"),
    ],
)
async def test_a_wrong_member_is_an_error_and_closes_the_sources(
    root: Path, item: Callable[[Path], Any], raised: type[Exception]
) -> None:
    os.mkfifo(root / "pipe")
    source = _described(b"made")
    errors = []

    async def view() -> Any:
        try:
            return await send_archive([source, item(root)], "all")
        except raised as error:
            errors.append(error)
            return "refused"

    response = await exchange(quart_app(root, view, with_init=True))
    assert response.body == b"refused"
    assert source.closed
    assert len(errors) == 1
    assert getattr(errors[0], "errno", None) in {None, errno.ENOENT, errno.ENXIO}


def _stream() -> StreamSource:
    async def chunks() -> Any:
        yield b"x"

    return StreamSource(chunks())


async def test_sources_are_closed_with_the_response(root: Path) -> None:
    source = _described(b"made")

    async def view() -> Any:
        return await send_archive([source], "all")

    await exchange(quart_app(root, view, with_init=True), method="HEAD")
    assert source.closed
