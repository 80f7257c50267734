"""`init_app`: this package sends the downloads of an app, and its static files."""

from typing import Any, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart import Blueprint, Quart, Response, current_app, has_request_context, request, websocket
from quart.asgi import ASGIHTTPConnection
from quart.testing.connections import TestHTTPConnection
from quart.typing import ResponseReturnValue, ResponseTypes

from ..asgi import response_to_error
from ..body import Body
from ..errors import DownloadError, SourceError
from ..responder import Response as PlannedResponse
from ..sending import Scope, Send, encode_field, send_response
from .response import DownloadResponse, settle
from .send import http_exception, send_from_directory

__all__ = ["DownloadConnection", "init_app"]


_STATIC = {Quart.send_static_file, Blueprint.send_static_file}


def init_app(app: Quart) -> None:
    """Let this package send the app's downloads and static files, and turn a DownloadError of a view into its status.

    Classes that the app has set for its connections and its test client stay in use: they become base classes. A cache
    must ask the app each time before it uses a stored file, as in Flask, unless `SEND_FILE_MAX_AGE_DEFAULT` is set.
    """
    app.asgi_http_class = _derived(DownloadConnection, app.asgi_http_class)
    client = cast("Any", app.test_client_class)
    connection = _derived(_TestConnection, client.http_connection_class)
    app.test_client_class = type(client.__name__, (client,), {"http_connection_class": connection})
    app.error_handler_spec[None][None].setdefault(DownloadError, _respond_to_error)
    _take_over_static_files(app)
    if app.config["SEND_FILE_MAX_AGE_DEFAULT"] is Quart.default_config["SEND_FILE_MAX_AGE_DEFAULT"]:
        app.config["SEND_FILE_MAX_AGE_DEFAULT"] = None


def _derived(ours: type[Any], theirs: type[Any]) -> type[Any]:
    """Return a class with our methods above theirs."""
    if issubclass(theirs, ours):
        return theirs
    return ours if issubclass(ours, theirs) else type(ours.__name__, (ours, theirs), {})


class DownloadConnection(ASGIHTTPConnection):
    """A connection that sends downloads with `send_response`, and all other responses as Quart does."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Handle the request. Raises DownloadError if the body of a download cannot be sent whole."""
        _take_over_static_files(self.app)
        try:
            await super().__call__(receive, send)
        except BaseExceptionGroup as group:
            ours, others = group.split(DownloadError)
            if ours is None or others is not None:
                raise
            raise ours.exceptions[0] from None

    async def _send_response(self, send: ASGISendCallable, response: ResponseTypes) -> None:
        if not isinstance(response.response, Body):
            await super()._send_response(send, response)
            return
        if isinstance(response, DownloadResponse):
            settle(response)
        fields = tuple(map(encode_field, response.headers))
        download = PlannedResponse(response.status_code, (), response.response, fields)
        try:
            # `receive` is None because Quart itself watches for the disconnect.
            await send_response(download, cast("Scope", self.scope), None, cast("Send", send))
        except TimeoutError as error:  # of the source; Quart would ignore it, and the client would wait for ever
            raise SourceError(f"the source took too long: {error}") from error


def _take_over_static_files(app: Quart) -> None:
    """Send the files of `/static` and of `send_static_file` ourselves, those of blueprints too.

    Views and methods that the app has replaced stay, and their calls of `super().send_static_file` reach ours.
    """
    views = app.view_functions
    if app.extensions.get("async_downloads.views") == (len(views), len(app.blueprints)):
        return
    owners: list[Any] = [app, *app.blueprints.values()]
    for owner in owners:
        owner.__class__ = _with_static_files(type(owner))
    for endpoint, view in views.items():
        if getattr(view, "__func__", None) in _STATIC:
            views[endpoint] = cast("Any", view).__self__.send_static_file
    app.extensions["async_downloads.views"] = len(views), len(app.blueprints)  # a blueprint may be registered later


class _StaticFiles:
    """The method of an app or a blueprint that sends a static file."""

    async def send_static_file(self, filename: str) -> Response:
        """Return a response with a file of the static folder. Raises RuntimeError if there is no such folder."""
        owner = cast("Any", self)
        if not owner.has_static_folder:
            raise RuntimeError("'static_folder' must be set to serve static files")
        max_age = owner.get_send_file_max_age(filename)  # of a blueprint; if it is None, the app's own is asked
        return await send_from_directory(owner.static_folder, filename, max_age=max_age)


class _App(_StaticFiles, Quart):
    pass


class _Blueprint(_StaticFiles, Blueprint):
    pass


def _with_static_files(theirs: type[Any]) -> type[Any]:
    """Return a class with our method below those of the app's own classes, and above that of Quart."""
    ours = _App if issubclass(theirs, Quart) else _Blueprint
    if issubclass(theirs, ours):
        return theirs
    bases = (ours,) if issubclass(ours, theirs) else (theirs, ours)
    return type(theirs.__name__, bases, {"__module__": theirs.__module__})


class _TestConnection(TestHTTPConnection):
    """A connection of Quart's test client. A response without content keeps the length that the app gave it."""

    async def as_response(self) -> Response:
        """Return the response with its own Content-Length."""
        length = self.headers.get("Content-Length") if self.headers is not None else None
        response = await super().as_response()
        if self.scope["method"] == "HEAD" or self.status_code == 304:
            response.headers.remove("Content-Length")
            if length is not None:
                response.headers["Content-Length"] = length
        return response


async def _respond_to_error(error: DownloadError) -> ResponseReturnValue:
    """Return the response to an error of a view: that of the app's own handler of the status, if it has one.

    The view may be that of a WebSocket; the response then denies the connection.
    """
    asked: Any = request if has_request_context() else websocket
    found = response_to_error(error, {"method": "GET", **asked.scope})
    failure = http_exception(error)
    handler = current_app._find_error_handler(failure, asked.blueprints)  # what `abort` calls
    if handler is not None:
        return cast("ResponseReturnValue", await current_app.ensure_async(cast("Any", handler))(failure))
    return Response(found.body.whole, found.status, dict(found.fields))
