"""The fields of responses over HTTP/2, and texts that cannot be a field."""

import pytest

from async_downloads.server.http2.response_fields import response_fields

DATE = b"Date: now\r\n"


@pytest.mark.parametrize("value", [b"a\r\nb", b"\0", b"\x01", b"\x1f", b"\x7f"])
def test_a_control_character_is_refused_as_clients_would_reset_the_stream(value: bytes) -> None:
    with pytest.raises(ValueError, match="not a field"):
        response_fields(200, [(b"a", value)], DATE)


@pytest.mark.parametrize("status", [0, 101, 199, 1000])
def test_a_status_that_ends_no_response_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="not the status of a response"):
        response_fields(status, (), DATE)


def test_a_repeated_length_is_written_once_and_another_one_is_refused() -> None:
    fields = [(b"content-length", b"5"), (b"content-length", b"5")]
    assert response_fields(200, fields, DATE) == ([(b":status", b"200"), fields[0], (b"date", b"now")], 5)
    with pytest.raises(ValueError, match="not the one Content-Length"):
        response_fields(200, [*fields, (b"content-length", b"6")], DATE)


def test_a_204_has_no_length() -> None:
    lines, _ = response_fields(204, [(b"content-length", b"0")], DATE)
    assert lines == [(b":status", b"204"), (b"date", b"now")]
