"""One view, run by Flask and by Quart, and the response of each.

    view ──> Flask ────────────────> Received ──┐
         ──> Quart ────────────────> Received ──┼── all the same
         ──> Quart with init_app ──> Received ──┘

A view uses an `Api`, which has the functions of one side; all of them are awaited.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

import flask
from werkzeug.security import safe_join

import async_downloads
from quart_api.apps import exchange, quart_app

__all__ = ["PLAIN", "SIDES", "Api", "Ask", "FlaskSide", "QuartSide", "Received", "Side", "View"]


@dataclass(frozen=True, slots=True)
class Api:
    """The functions of one side, and the folder of the view's files."""

    root: Path
    files: ExitStack
    send_file: Callable[..., Awaitable[Any]]
    send_from_directory: Callable[..., Awaitable[Any]]
    make_response: Callable[..., Awaitable[Any]]
    abort: Callable[..., Any]
    safe_join: Callable[..., str | None]

    def open(self, name: str, mode: str = "rb", *, at: int = 0) -> IO[Any]:
        """Open a file. It is closed after the request, if it is still open."""
        file = self.files.enter_context((self.root / name).open(mode))
        file.seek(at)
        return file


View = Callable[[Api], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request; `{etag}` and `{date}` in its fields stand for the validators of an earlier response."""

    fields: Mapping[str, str]
    method: str = "GET"

    def of(self, known: "Received") -> "Ask":
        """Return the request of a client that got the response `known` before."""
        validators = {"etag": known.fields.get("etag", ""), "date": known.fields.get("last-modified", "")}
        return Ask({name: value.format(**validators) for name, value in self.fields.items()}, self.method)


PLAIN: Final = Ask({})


@dataclass(frozen=True, slots=True)
class Received:
    """The response, and the name of the exception that the view raised."""

    status: int
    fields: dict[str, str]
    body: bytes
    raised: str | None


class Side(Protocol):
    """A view in an app of one of the two frameworks."""

    async def ask(self, ask: Ask) -> Received:
        """Make one request of it."""


class _View:
    """A view that remembers how it ended and closes its files."""

    def __init__(self, view: View, api: Api) -> None:
        self._view = view
        self._api = api
        self.raised: str | None = None

    async def __call__(self) -> Any:
        self.raised = None
        try:
            return await self._view(self._api)
        except Exception as error:
            self.raised = type(error).__name__
            raise

    def received(self, status: int, headers: Any, body: bytes) -> Received:
        self._api.files.close()
        fields = {name.lower(): value for name, value in headers}
        assert len(fields) == len(headers), "a field occurs twice"
        return Received(status, fields, body, self.raised)


class FlaskSide:
    """The view in a Flask app."""

    def __init__(self, root: Path, view: View, *, max_age: object = None) -> None:
        app = flask.Flask(__name__, root_path=str(root))
        app.config["SEND_FILE_MAX_AGE_DEFAULT"] = max_age
        own = _awaitable(flask.send_file), _awaitable(flask.send_from_directory), _awaitable(flask.make_response)
        self._view = _View(view, Api(root, ExitStack(), *own, flask.abort, safe_join))
        app.add_url_rule("/", "view", lambda: _at_once(self._view()), methods=["GET", "POST"])
        self._client = app.test_client()

    async def ask(self, ask: Ask) -> Received:
        """Make one request of it."""
        response = self._client.open("/", method=ask.method, headers=ask.fields, buffered=True)
        return self._view.received(response.status_code, response.headers, response.data)


class QuartSide:
    """The view in a Quart app, with or without `init_app`."""

    def __init__(self, root: Path, view: View, *, max_age: object = None, with_init: bool = True) -> None:
        own = async_downloads.send_file, async_downloads.send_from_directory, async_downloads.make_response
        self._view = _View(view, Api(root, ExitStack(), *own, async_downloads.abort, async_downloads.safe_join))
        self._app = quart_app(root, self._view.__call__, with_init=with_init, SEND_FILE_MAX_AGE_DEFAULT=max_age)

    async def ask(self, ask: Ask) -> Received:
        """Make one request of it."""
        response = await exchange(self._app, *ask.fields.items(), method=ask.method)
        return self._view.received(response.status, response.fields.multi_items(), response.body)


SIDES: Final = {"plain Quart": False, "with init_app": True}


def _awaitable(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


def _at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never waits, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited")
