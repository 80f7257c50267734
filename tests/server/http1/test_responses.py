"""Responses of apps: their framing, and the responses of apps that fail."""

import asyncio
import logging

import pytest
from harness.asgi import App, Message
from harness.waiting import HANGING

from async_downloads.sending import Receive, Scope, Send
from server.http1.conftest import ServeHttp1
from server.http1.test_requests import GET, LAST, statuses
from server.sending import body, head, length


def app_of(*messages: Message | Exception) -> App:
    """Return an app that sends these messages, and raises those of them that are exceptions."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            if isinstance(message, Exception):
                raise message
            await send(message)

    return app


STREAM = (head(), body(b"", more=True), body(b"a", more=True), body(b"bc", more=True), body())


async def test_a_body_of_unknown_length_is_chunked(serve_http1: ServeHttp1) -> None:
    server = await serve_http1(app_of(*STREAM))
    received = await server.exchange(LAST)
    assert b"\r\nTransfer-Encoding: chunked\r\n" in received
    assert received.partition(b"\r\n\r\n")[2] == b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"


async def test_a_body_of_unknown_length_ends_with_the_connection_in_http_1_0(serve_http1: ServeHttp1) -> None:
    server = await serve_http1(app_of(*STREAM))
    received = await server.exchange(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in received
    assert received.partition(b"\r\n\r\n")[2] == b"abc"


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_has_none(serve_http1: ServeHttp1, status: int) -> None:
    server = await serve_http1(app_of(head(status=status), body(b"ignored")))
    received = await server.exchange(GET + LAST)
    assert statuses(received) == [status, status]
    assert b"ignored" not in received
    assert b"Transfer-Encoding" not in received


async def test_an_app_may_have_the_connection_closed(serve_http1: ServeHttp1) -> None:
    server = await serve_http1(app_of(head(length(1), (b"connection", b"close")), body(b"a")))
    received = await server.exchange(GET + GET)
    assert (statuses(received), received.count(b"Connection: close")) == ([200], 1)


async def test_a_body_of_any_size_comes_whole(serve_http1: ServeHttp1, content: bytes) -> None:
    for size in (0, 1, 64 * 1024, 64 * 1024 + 1, len(content)):
        server = await serve_http1(app_of(head(length(size)), body(content[:size])))
        assert (await server.exchange(LAST)).partition(b"\r\n\r\n")[2] == content[:size]


FAILURES = {
    "raises": app_of(ValueError("as apps do")),
    "raises after the head": app_of(head(length(1)), ValueError("as apps do")),
    "sends nothing": app_of(),
    "sends a body first": app_of(body(b"a")),
    "sends a field that would break the head": app_of(head((b"a", b"b\r\nc: d")), body()),
    "sends more than it promised": app_of(head(length(1)), body(b"ab")),
}


@pytest.mark.parametrize("app", [pytest.param(app, id=name) for name, app in FAILURES.items()])
async def test_an_app_that_fails_before_the_body_is_500(serve_http1: ServeHttp1, app: App) -> None:
    server = await serve_http1(app)
    received = await server.exchange(GET + GET)
    assert statuses(received) == [500]
    assert received.endswith(b"500 Internal Server Error\n")


@pytest.mark.parametrize(("before", "status"), [((), 500), ((body(b"a", more=True),), 200)])
async def test_an_unknown_message_ends_the_response(
    serve_http1: ServeHttp1, before: tuple[Message, ...], status: int
) -> None:
    """A middleware could complete the response although its app has failed."""
    server = await serve_http1(app_of(head(length(2)), *before, {"type": "http.response.unknown"}, body(b"ab")))
    received = await server.exchange(GET + GET)
    assert statuses(received) == [status]
    assert b"ab" not in received


async def test_what_an_app_raised_is_logged(serve_http1: ServeHttp1, caplog: pytest.LogCaptureFixture) -> None:
    server = await serve_http1(FAILURES["raises"])
    await server.exchange(b"GET /%0A?%73ignature=hidden HTTP/1.1\r\nHost: a\r\n\r\n")
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "GET '/%0A?%73ignature=***' failed")
    assert record.exc_info
    assert str(record.exc_info[1]) == "as apps do"


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param((head(length(5)), body(b"ab", more=True), ValueError("as apps do")), id="raises"),
        pytest.param((head(length(5)), body(b"ab", more=True)), id="has no end"),
        pytest.param((head(length(5)), body(b"ab", more=True), body()), id="is too short"),
        pytest.param((head(length(3)), body(b"ab", more=True), body(b"cd")), id="is too long"),
    ],
)
async def test_a_response_that_fails_in_its_body_is_cut(
    serve_http1: ServeHttp1, messages: tuple[Message | Exception, ...]
) -> None:
    server = await serve_http1(app_of(*messages))
    assert (await server.exchange(GET + GET)).partition(b"\r\n\r\n")[2] == b"ab"


async def test_a_chunked_response_that_fails_has_no_last_chunk(serve_http1: ServeHttp1) -> None:
    server = await serve_http1(app_of(*STREAM[:-1], ValueError("as apps do")))
    assert (await server.exchange(GET)).endswith(b"bc\r\n")


async def test_an_app_that_is_cancelled_is_500(serve_http1: ServeHttp1) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task
        task.cancel()
        await asyncio.sleep(0)

    server = await serve_http1(app)
    assert statuses(await server.exchange(GET)) == [500]


async def test_after_its_response_an_app_can_neither_send_nor_receive(serve_http1: ServeHttp1) -> None:
    seen: list[object] = []
    done = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await app_of(head(length(0)), body())(scope, receive, send)
        seen.append((await receive())["type"])
        try:
            await send(body(b"more"))
        except ConnectionError as error:
            seen.append(str(error))
        done.set()

    server = await serve_http1(app)
    assert statuses(await server.exchange(LAST)) == [200]
    async with asyncio.timeout(HANGING):
        await done.wait()
    assert seen == ["http.disconnect", "the client has left"]
