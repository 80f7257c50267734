"""What sources do, for a listener that measures it: how long they take to open, and how often they fail.

A process has at most one listener, for its metrics. Without one, nothing is measured.
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
    """What is called when a source was opened or failed; it must not block."""

    def opened(self, source: SourceKind, seconds: float) -> None:
        """Take how long an opening took, also one that failed or found nothing."""

    def failed(self) -> None:
        """Take a failure."""


_listeners: Final[list[SourceListener]] = []


def listen_to_sources(listener: SourceListener | None) -> None:
    """Call the listener from now on, in the place of the one before; None ends the measuring."""
    _listeners[:] = [listener] if listener else []


def note_failure(error: DownloadError) -> None:
    """Call the listener, if the error is that of a source: not one that says only that there is no such file."""
    if isinstance(error, SourceError):
        for listener in _listeners:
            listener.failed()


def timed(source: SourceKind) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Decorate a method that opens a source: measure how long it takes, if there is a listener."""

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
