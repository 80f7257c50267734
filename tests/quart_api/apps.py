"""Quart apps with one view, and requests to them without a server."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from harness.asgi import App, Exchange, Message, scope
from quart import Quart

from async_downloads import init_app

__all__ = ["exchange", "quart_app"]


def quart_app(root: Path, view: Callable[[], Awaitable[Any]], *, with_init: bool, **config: object) -> Quart:
    """Return an app that runs the view, and whose files are below `root`."""
    app = Quart(__name__, root_path=str(root))
    app.config |= {"SEND_FILE_MAX_AGE_DEFAULT": None} | config
    if with_init:
        init_app(app)
    app.add_url_rule("/", "view", view, methods=["GET", "POST"])
    return app


async def exchange(app: Quart, *fields: tuple[str, str], method: str = "GET") -> Exchange:
    """Send one request to the app.

    Quart's test client is not used, because it adds its own Content-Type and Content-Length.
    """
    made = _Ended(scope(method=method, fields=fields))
    await cast("App", app)(made.scope, made.receive, made.send)
    return made


class _Ended(Exchange):
    """An exchange whose client leaves as soon as it has the response: Quart waits for that."""

    async def send(self, message: Message) -> None:
        await super().send(message)
        if self.complete:
            self.left.set()
