"""Caches of response heads: they keep what many clients share, and nothing of one client."""

from collections.abc import Callable

import pytest

from async_downloads import sending
from async_downloads.semantics.shared_fields import SharedCache
from async_downloads.server.http1 import response_head
from async_downloads.server.http2 import field_encoder, response_fields

CACHES = (
    sending._encoded_heads, sending._encoded, response_head._heads, response_head._lines, response_fields._heads,
    field_encoder._encoded,
)  # fmt: skip
SHARED = [(b"content-type", b"text/plain"), (b"etag", b'"a"'), (b"content-length", b"5")]
OF_ONE_CLIENT = [
    pytest.param((b"set-cookie", b"session=hidden"), id="a cookie"),
    pytest.param((b"location", b"/a?signature=hidden"), id="a signed link"),
    pytest.param((b"x-user", b"hidden"), id="a field of an app"),
    pytest.param((b"content-disposition", b"hidden" * 40), id="a long value"),
]


def _over_asgi(fields: list[tuple[bytes, bytes]]) -> None:
    texts = tuple([(name.decode().title(), value.decode()) for name, value in fields])
    assert [*sending._encoded_heads[texts]] == fields


def _over_http1(fields: list[tuple[bytes, bytes]]) -> None:
    assert fields[-1][1] in response_head.encode_lines(200, fields).lines


def _over_http2(fields: list[tuple[bytes, bytes]]) -> None:
    lines, _ = response_fields.response_fields(200, fields, b"Date: now\r\n")
    assert field_encoder.FieldEncoder().encode(lines)


@pytest.fixture(autouse=True)
def _empty() -> None:
    for cache in CACHES:
        cache.clear()


@pytest.mark.parametrize("send", [_over_asgi, _over_http1, _over_http2])
@pytest.mark.parametrize("own", OF_ONE_CLIENT)
def test_no_field_of_one_client_is_kept(
    own: tuple[bytes, bytes], send: Callable[[list[tuple[bytes, bytes]]], None]
) -> None:
    send([*SHARED, own])
    kept = repr([cache.items() for cache in CACHES])
    assert "text/plain" in kept
    assert "hidden" not in kept


@pytest.mark.parametrize(
    ("send", "kept"),
    [(_over_asgi, [1, 3, 0, 0, 0, 0]), (_over_http1, [0, 0, 1, 3, 0, 0]), (_over_http2, [0, 0, 0, 0, 1, 5])],
)
def test_a_head_is_kept_once_for_all_clients(
    send: Callable[[list[tuple[bytes, bytes]]], None], kept: list[int]
) -> None:
    for _ in range(3):
        send(SHARED)
    assert [len(cache) for cache in CACHES] == kept


def test_a_full_cache_forgets_all_values() -> None:
    made: list[int] = []

    def make(key: int) -> str:
        made.append(key)
        return str(key)

    cache = SharedCache(make, lambda key: key != 7, 2)
    assert [cache[key] for key in (1, 2, 1, 7, 7, 3)] == ["1", "2", "1", "7", "7", "3"]
    assert made == [1, 2, 7, 7, 3]
    assert dict(cache) == {3: "3"}
