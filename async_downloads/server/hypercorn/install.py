"""Put our classes in the place of Hypercorn's, if it is the Hypercorn that they were written for; configure it."""

import time
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

from hypercorn.asyncio import serve
from hypercorn.config import Config

from ...semantics.dates import format_date
from ..line_writer import report

__all__ = ["NAMES", "VERSION", "Config", "ServeConfig", "install", "serve"]


VERSION: Final = "0.18."
# The module, or a class in it, and the names that it must have; the package's docstring says what each is for.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "hypercorn.asyncio.run": ("TCPServer",),
    "hypercorn.asyncio.tcp_server": ("TCPServer",),
    "hypercorn.asyncio.tcp_server:TCPServer": (
        *("protocol_send", "_read_data", "_close"),
        *("writer", "send_lock", "protocol", "idle_task"),
    ),
    "hypercorn.asyncio.task_group:TaskGroup": ("_task_group",),
    "hypercorn.asyncio.worker_context": ("AsyncioSingleTask", "EventWrapper"),
    "hypercorn.asyncio.worker_context:EventWrapper": ("set", "wait"),
    "hypercorn.config:Config": ("response_headers",),
    "hypercorn.events": ("Closed", "Event", "RawData"),
    "hypercorn.protocol": ("H11Protocol",),
    "hypercorn.protocol.events": ("Event", "Request", "Response", "StreamClosed"),
    "hypercorn.protocol.h11": ("H11Protocol", "HTTPStream"),
    "hypercorn.protocol.h11:H11Protocol": (
        *("handle", "stream_send", "_check_protocol", "_send_h11_event"),
        *("can_read", "connection", "config", "keep_alive_requests", "send"),
    ),
    "hypercorn.protocol.h2": ("BufferCompleteError", "StreamBuffer"),
    "hypercorn.protocol.h2:StreamBuffer": ("push", "pop", "buffer", "_complete", "_is_empty", "_paused"),
    "hypercorn.protocol.http_stream": ("ASGIHTTPState", "HTTPStream"),
    "hypercorn.protocol.http_stream:ASGIHTTPState": ("REQUEST", "RESPONSE"),
    "hypercorn.protocol.http_stream:HTTPStream": (
        *("handle", "app_send"),
        *("scope", "response", "state", "send", "stream_id"),
    ),
    "hypercorn.utils": ("suppress_body",),
}


class ServeConfig(Config):
    """Hypercorn's settings for `serve`.

    Hypercorn formats the date anew for each response; ours takes it from a cache that holds one string per second.
    """

    def response_headers(self, protocol: str) -> list[tuple[bytes, bytes]]:  # noqa: ARG002
        return [(b"date", format_date(int(time.time())).encode("ascii"))]


def install() -> bool:
    """Replace Hypercorn's classes in this process and in those that it forks later; return whether that was possible.

    If it was not, print one line that says why. Hypercorn then serves with its own classes.
    """
    if reason := next(_reasons_against(), None):
        report(f"serving without zero-copy sending: {reason}")
        return False
    from . import http1, http2  # these modules use the names that were just checked

    http1.install()
    http2.install()
    return True


def _reasons_against() -> Iterator[str]:
    if not version("hypercorn").startswith(VERSION):
        yield f"it was tested with Hypercorn {VERSION}*, not with {version('hypercorn')}"
    for place, names in NAMES.items():
        owner = _owner(*place.split(":"))
        yield from (f"this Hypercorn has no {place}:{name}" for name in names if not _has(owner, name))


def _owner(module: str, name: str = "") -> object:
    """Return a module, or the object of that name in it, or None if there is no such thing."""
    try:
        found = import_module(module)
    except ImportError:
        return None
    return getattr(found, name, None) if name else found


def _has(owner: Any, name: str) -> bool:
    """Return whether an object has an attribute, or is a class whose methods mention it: they set it on instances."""
    methods = vars(owner).values() if isinstance(owner, type) else ()
    return hasattr(owner, name) or any(name in method.__code__.co_names for method in methods if _is_function(method))


def _is_function(value: object) -> bool:
    return hasattr(value, "__code__")
