"""Events of sources for the metrics: how long sources take to open, and how often they fail.

A process has at most one listener. Without a listener, nothing is measured.
"""

import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Final, Literal, ParamSpec, Protocol, TypeVar, get_args

from .errors import DownloadError, SourceError

__all__ = ["SOURCES", "SourceKind", "SourceListener", "listen_to_sources", "note_failure", "timed"]


P = ParamSpec("P")
T = TypeVar("T")
SourceKind = Literal["file", "sqlite", "postgresql", "object"]
SOURCES: Final[tuple[SourceKind, ...]] = get_args(SourceKind)


class SourceListener(Protocol):
    """The methods that are called when a source was opened or has failed. They must not block."""

    def opened(self, source: SourceKind, seconds: float) -> None:
        """Record how many seconds an opening took, even if it failed or found nothing."""

    def failed(self) -> None:
        """Record a failure."""


_listeners: Final[list[SourceListener]] = []


def listen_to_sources(listener: SourceListener | None) -> None:
    """Set the listener, which replaces the one before. None stops the measuring."""
    _listeners[:] = [listener] if listener else []


def note_failure(error: DownloadError) -> None:
    """Call the listener if a source has failed. A file that does not exist is no failure."""
    if isinstance(error, SourceError):
        for listener in _listeners:
            listener.failed()


def timed(source: SourceKind) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Decorate a method that opens a source: if there is a listener, measure how long the method takes."""

    def decorate(open_source: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @wraps(open_source)
        def timed_open(*args: P.args, **options: P.kwargs) -> Coroutine[Any, Any, T]:
            opening = open_source(*args, **options)
            return _time(opening, source, _listeners[0]) if _listeners else opening

        return timed_open

    return decorate


async def _time(opening: Awaitable[T], source: SourceKind, listener: SourceListener) -> T:
    started = time.monotonic()
    try:
        return await opening
    finally:
        listener.opened(source, time.monotonic() - started)
