"""RFC 9110 §14.6 and §15.3.7.2, read with the standard library's parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.semantics.multipart import byteranges
from async_downloads.semantics.ranges import ByteRange
from semantics import wire

BOUNDARY = "THIS_STRING_SEPARATES"
CONTENT_TYPE = f"multipart/byteranges; boundary={BOUNDARY}"

contents = st.binary(min_size=2, max_size=64)


def layout(content: bytes, spans: list[ByteRange], media_type: str = "application/pdf") -> bytes:
    return wire.body(byteranges(spans, size=len(content), media_type=media_type, boundary=BOUNDARY), content)


@st.composite
def contents_and_spans(draw: st.DrawFn) -> tuple[bytes, list[ByteRange]]:
    content = draw(contents)
    ends = st.lists(st.integers(0, len(content)), min_size=2, max_size=2, unique=True).map(sorted)
    return content, draw(st.lists(ends.map(lambda pair: ByteRange(*pair)), min_size=1, max_size=8))


def test_the_example_of_section_15_3_7_2_is_laid_out_byte_for_byte() -> None:
    assert layout(bytes(8000), [ByteRange(500, 1000), ByteRange(7000, 8000)]) == b"".join(
        (
            b"\r\n--THIS_STRING_SEPARATES\r\n",  # the RFC prints no empty line before it; nginx and Apache send one
            b"Content-Type: application/pdf\r\n",
            b"Content-Range: bytes 500-999/8000\r\n",
            b"\r\n",
            bytes(500),
            b"\r\n--THIS_STRING_SEPARATES\r\n",
            b"Content-Type: application/pdf\r\n",
            b"Content-Range: bytes 7000-7999/8000\r\n",
            b"\r\n",
            bytes(1000),
            b"\r\n--THIS_STRING_SEPARATES--\r\n",
        )
    )


@given(contents_and_spans())
def test_another_parser_reads_every_part_in_order(example: tuple[bytes, list[ByteRange]]) -> None:
    content, spans = example
    parts = wire.parts(CONTENT_TYPE, layout(content, spans))
    assert [part for _, _, part in parts] == [content[span.start : span.stop] for span in spans]


@given(contents_and_spans())
def test_each_part_names_its_own_bytes(example: tuple[bytes, list[ByteRange]]) -> None:
    content, spans = example
    assert all(
        wire.named_bytes(content_range, content) == part
        for _, content_range, part in wire.parts(CONTENT_TYPE, layout(content, spans))
    )


@given(contents_and_spans())
def test_the_length_is_the_sum_of_the_pieces(example: tuple[bytes, list[ByteRange]]) -> None:
    content, spans = example
    pieces = byteranges(spans, size=len(content), media_type="application/pdf", boundary=BOUNDARY)
    assert sum(map(len, pieces)) == len(wire.body(pieces, content))


@pytest.mark.parametrize("media_type", ["application/pdf", "text/plain; charset=utf-8", 'a/b; name="x;y"'])
def test_each_part_repeats_the_media_type_of_the_whole(media_type: str) -> None:
    spans = [ByteRange(0, 2), ByteRange(4, 6)]
    parts = wire.parts(CONTENT_TYPE, layout(b"abcdef", spans, media_type))
    assert [content_type for content_type, _, _ in parts] == [media_type] * 2
