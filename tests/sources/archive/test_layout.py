"""Laws of the layout: the parts tile the archive, and the parsers of other programs read the whole."""

import io
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.sources.archive import zip_format
from async_downloads.sources.archive.layout import ArchiveFormat, Data, Layout, Member
from async_downloads.sources.archive.names import unique_names
from async_downloads.sources.archive.tar_format import TarFormat
from async_downloads.sources.archive.zip_format import ZipFormat

FORMATS: Final = [pytest.param(ZipFormat(), id="zip"), pytest.param(TarFormat(), id="tar")]
GIB: Final = 1024**3

_letters = st.characters(codec="utf-8", exclude_characters="\0/\\", exclude_categories=("Cc", "Cs"))
_names = st.lists(st.text(_letters, min_size=1, max_size=130), min_size=1, max_size=3).map("/".join)
_dates = st.integers(-(2**33), 2**34)
_files = st.tuples(_names, st.binary(max_size=700), _dates, st.booleans())


@st.composite
def _contents(draw: st.DrawFn) -> tuple[list[Member], list[bytes]]:
    """Draw files and folders with unique names, and their data."""
    drawn = draw(st.lists(_files, max_size=6))
    folders = draw(st.lists(_names, max_size=2))
    names = list(unique_names([*(name for name, *_ in drawn), *(f"{name}/" for name in folders)]))
    members = [Member(name, len(data), date, mode) for name, (_, data, date, mode) in zip(names, drawn, strict=False)]
    members += [Member(name) for name in names[len(drawn) :]]
    return members, [data for _, data, *_ in drawn] + [b""] * len(folders)


def join(layout: Layout, contents: Sequence[bytes], start: int, stop: int) -> bytes:
    """Return the bytes of a range of the archive."""
    joined = bytearray()
    for part in layout.parts(start, stop):
        if isinstance(part, bytes):
            joined += part
        elif isinstance(part, Data):
            joined += contents[part.member][part.start : part.stop]
        else:
            joined += part.filled(zlib.crc32(contents[part.member]))
    return bytes(joined)


@pytest.fixture(params=[0, 300, 10**9], ids=["every checksum behind", "large ones behind", "every checksum in front"])
def threshold(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the size from which a member of a zip has its checksum behind its data."""
    monkeypatch.setattr(zip_format, "_CHECKED_FIRST_BYTES", request.param)


@pytest.mark.usefixtures("threshold")
@pytest.mark.parametrize("archive_format", FORMATS)
def test_any_range_is_the_slice_of_the_whole(archive_format: ArchiveFormat) -> None:
    @given(contents=_contents(), cuts=st.lists(st.floats(0, 1), max_size=10))
    def check(contents: tuple[list[Member], list[bytes]], cuts: list[float]) -> None:
        layout = Layout(contents[0], archive_format)
        whole = join(layout, contents[1], 0, layout.size)
        assert len(whole) == layout.size
        ends = sorted({0, layout.size, *(int(cut * layout.size) for cut in cuts)})
        assert [join(layout, contents[1], *span) for span in pairwise(ends)] == [
            whole[start:stop] for start, stop in pairwise(ends)
        ]

    check()


@pytest.mark.usefixtures("threshold")
def test_zipfile_reads_every_member_with_its_name_date_and_mode() -> None:
    @given(contents=_contents())
    def check(contents: tuple[list[Member], list[bytes]]) -> None:
        members, data = contents
        layout = Layout(members, ZipFormat())
        with zipfile.ZipFile(io.BytesIO(join(layout, data, 0, layout.size))) as read:
            assert read.testzip() is None
            assert [(info.filename, read.read(info)) for info in read.infolist()] == [
                (member.name, each) for member, each in zip(members, data, strict=True)
            ]
            assert [info.external_attr >> 16 & 0o777 for info in read.infolist()] == [each.mode for each in members]
            assert [info.is_dir() for info in read.infolist()] == [member.is_folder for member in members]

    check()


def test_tarfile_reads_every_member_with_its_name_date_and_mode() -> None:
    @given(contents=_contents())
    def check(contents: tuple[list[Member], list[bytes]]) -> None:
        members, data = contents
        layout = Layout(members, TarFormat())
        with tarfile.open(fileobj=io.BytesIO(join(layout, data, 0, layout.size)), errorlevel=2) as read:
            found = read.getmembers()
            assert [(info.name, info.isdir(), info.mode) for info in found] == [
                (each.name.rstrip("/"), each.is_folder, each.mode) for each in members
            ]
            assert [info.mtime for info in found] == [min(max(each.modified, 0), 8**11 - 1) for each in members]
            contents_read = [file.read() if (file := read.extractfile(info)) else b"" for info in found]
            assert contents_read == data

    check()


@pytest.mark.parametrize(
    ("size", "before"),
    [
        pytest.param(zip_format._MAX_32 - 1, 0, id="the last size of 32 bits"),
        pytest.param(zip_format._MAX_32, 0, id="the first size of 64 bits"),
        pytest.param(5 * GIB, 3, id="a size of 64 bits"),
        pytest.param(10, 5 * GIB, id="an offset of 64 bits"),
        pytest.param(5 * GIB, 5 * GIB, id="both"),
    ],
)
def test_a_zip_beyond_4_gib_has_zip64_fields(size: int, before: int) -> None:
    layout = Layout([Member("before", before), Member("file", size, 10**9), Member("last", 1)], ZipFormat())
    with zipfile.ZipFile(_Hollow(layout)) as read:
        infos = read.infolist()
        assert [info.file_size for info in infos] == [before, size, 1]
        with read.open("last") as last:
            assert last.read() == b"\0"
        assert infos[2].header_offset > before + size


def test_a_zip_has_more_entries_than_fit_into_16_bits() -> None:
    for count in (65_534, 65_535, 65_536):
        layout = Layout([Member(f"{number}") for number in range(count)], ZipFormat())
        with zipfile.ZipFile(_Hollow(layout)) as read:
            assert len(read.namelist()) == count


@pytest.mark.parametrize("size", [8**11 - 1, 8**11, 100 * GIB])
def test_a_tar_has_a_member_of_8_gib_or_more(size: int) -> None:
    layout = Layout([Member("large", size), Member("last", 1)], TarFormat())
    with tarfile.open(fileobj=_Hollow(layout)) as read:
        assert [info.size for info in read.getmembers()] == [size, 1]


class _Hollow(io.RawIOBase):
    """An archive whose members contain zeros only, as a file that takes no room."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._layout.size)[whence]
        return self._at

    def read(self, count: int = -1) -> bytes:
        stop = self._layout.size if count < 0 else min(self._at + count, self._layout.size)
        read = bytearray()
        for part in self._layout.parts(self._at, stop):
            if isinstance(part, bytes):
                read += part
            elif isinstance(part, Data):
                read += bytes(part.stop - part.start)
            else:
                read += part.filled(zlib.crc32(b"\0"))  # of the only member whose data are read
        self._at = stop
        return bytes(read)


def test_a_name_that_a_zip_cannot_have_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 65535 bytes"):
        Layout([Member("ü" * 32_768)], ZipFormat())


@pytest.mark.parametrize("archive_format", FORMATS)
def test_an_archive_may_be_empty(archive_format: ArchiveFormat) -> None:
    layout = Layout([], archive_format)
    data = join(layout, [], 0, layout.size)
    if isinstance(archive_format, ZipFormat):
        assert zipfile.ZipFile(io.BytesIO(data)).namelist() == []
    else:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            assert tar.getnames() == []


def test_dates_are_read_back() -> None:
    """The DOS date counts in steps of two seconds; unzip and bsdtar read the extra field with the exact date."""
    layout = Layout([Member("new", 0, 1_700_000_001), Member("old", 0, -5), Member("far", 0, 2**40)], ZipFormat())
    with zipfile.ZipFile(io.BytesIO(join(layout, [b""] * 3, 0, layout.size))) as read:
        new, old, far = read.infolist()
    assert (new.date_time, new.extra) == ((2023, 11, 14, 22, 13, 20), b"UT\5\0\1\x01\xf1\x53\x65")
    assert (old.date_time, old.extra) == ((1980, 1, 1, 0, 0, 0), b"")
    assert (far.date_time, far.extra) == ((2107, 12, 31, 23, 59, 58), b"")


@given(names=st.lists(st.text(st.characters(), max_size=20), max_size=10))
def test_names_are_safe_and_unique_whatever_they_were(names: list[str]) -> None:
    safe = list(unique_names(names))
    assert len(safe) == len(names) == len(set(safe))
    for name in safe:
        assert name.encode()
        assert not name.startswith("/")
        assert not any(unicodedata.category(char) == "Cc" or char == "\\" for char in name)
        assert not {"", ".", ".."} & set(name.removesuffix("/").split("/"))
    assert list(unique_names(safe)) == safe
