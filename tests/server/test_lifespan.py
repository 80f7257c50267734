"""The lifespan of an app: its start and shutdown, and apps that have none."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from harness.asgi import App
from harness.clock import Clock

from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.drain import DrainGate
from async_downloads.server.lifespan import Lifespan, StartFailed


def app_of(seen: list[str], *responses: str) -> App:
    """Return an app that notes the phases and responds to them in turn."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["key"] = "value"
        for response in responses:
            seen.append((await receive())["type"])
            await send({"type": response, "message": "no database"})

    return app


async def test_an_app_is_started_and_shut_down() -> None:
    seen: list[str] = []
    lifespan = Lifespan(app_of(seen, "lifespan.startup.complete", "lifespan.shutdown.complete"))
    await lifespan.start()
    assert (seen, lifespan.state) == (["lifespan.startup"], {"key": "value"})
    await lifespan.stop()
    assert seen == ["lifespan.startup", "lifespan.shutdown"]


async def test_an_app_that_fails_to_start_is_not_shut_down() -> None:
    seen: list[str] = []
    lifespan = Lifespan(app_of(seen, "lifespan.startup.failed", "lifespan.shutdown.complete"))
    with pytest.raises(StartFailed, match="no database"):
        await lifespan.start()
    await lifespan.stop()
    assert seen == ["lifespan.startup"]


@pytest.mark.parametrize("raises", [True, False])
async def test_an_app_without_a_lifespan_runs(raises: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if raises:
            raise ValueError("what is a lifespan?")

    lifespan = Lifespan(app)
    await lifespan.start()
    await lifespan.stop()


def raising(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    raise ValueError("what is a lifespan?")


def returning_a_future(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    return asyncio.ensure_future(asyncio.sleep(0))


@pytest.mark.parametrize("app", [raising, returning_a_future])
async def test_an_app_that_is_a_plain_function_runs(app: Callable[..., Awaitable[None]]) -> None:
    lifespan = Lifespan(DrainGate(app))
    await lifespan.start()
    await lifespan.stop()


@pytest.mark.parametrize("asks", [True, False])
async def test_an_error_is_logged_if_the_app_seems_to_have_a_lifespan(
    asks: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if asks:
            await receive()
        raise ValueError("no database")

    lifespan = Lifespan(app)
    await lifespan.start()
    await lifespan.stop()
    line = "the startup of the app has failed, and the app continues without it: ValueError('no database')"
    assert caplog.messages == [line] * asks


async def test_an_app_that_was_not_started_has_nothing_to_shut_down() -> None:
    await Lifespan(app_of([])).stop()


async def test_a_start_that_is_cancelled_ends_the_app() -> None:
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    lifespan = Lifespan(app)
    starting = asyncio.create_task(lifespan.start())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])
    await lifespan.stop()
    assert ended.is_set()


async def test_a_shutdown_has_two_seconds(clock: Clock) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        clock.forward(2)
        await asyncio.Event().wait()

    lifespan = Lifespan(app)
    await lifespan.start()
    before = clock.time()
    await lifespan.stop()
    assert clock.time() - before < 4
