"""Compressed fields of responses (RFC 7541), read by the decoder of another library."""

import pytest
from hpack import Decoder, NeverIndexedHeaderTuple

from async_downloads.server.http2.field_encoder import FieldEncoder

LISTS = [
    pytest.param([(b":status", b"200"), (b"content-type", b"text/plain")], id="a status of the static table"),
    pytest.param([(b":status", b"418"), (b"content-length", b"0")], id="names of the static table"),
    pytest.param([(b":status", b"200"), (b"x-name", b"value"), (b"x-name", b"")], id="no entry of the static table"),
    pytest.param([(b":status", b"200"), (b"etag", b"x" * 199), (b"etag", b"y" * 5000)], id="short and long values"),
    pytest.param([(b":status", b"200"), (b"x-bytes", bytes(range(128, 256)))], id="bytes beyond ASCII"),
]


@pytest.mark.parametrize("fields", LISTS)
def test_every_list_of_a_connection_is_read_as_it_was_written(fields: list[tuple[bytes, bytes]]) -> None:
    encoder, decoder = FieldEncoder(), Decoder()
    for _ in range(3):
        read = decoder.decode(encoder.encode(fields), raw=True)
        assert list(map(tuple, read)) == fields
        assert not [field for field in read if isinstance(field, NeverIndexedHeaderTuple)]
    assert not decoder.header_table.dynamic_entries


def test_a_client_without_a_table_is_told_that_there_is_none() -> None:
    decoder = Decoder()
    decoder.max_allowed_table_size = 0  # from now on it refuses a list that does not begin with the new size
    assert decoder.decode(FieldEncoder().encode([(b":status", b"200")]), raw=True)
