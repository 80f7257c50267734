"""Middlewares of an app around a response that ends before its body is complete."""

import logging
from typing import Final

from .region_messages import PATH_SEND, Message, Send

__all__ = ["stop_middlewares"]


_log = logging.getLogger("async_downloads")
_CUT_SHORT: Final = "async_downloads.cut_short"


async def stop_middlewares(error: Exception, send: Send, *, knows_paths: bool) -> None:
    """Make middlewares fail that would otherwise end an incomplete response as if it were complete.

    Starlette's BaseHTTPMiddleware ends the response before it raises the error of its app. But if it gets a message
    that it does not expect, it fails before. The first message passes through another BaseHTTPMiddleware, and through
    GZipMiddleware, which sends a second start before it. The second message is for servers that have `pathsend`.

    Servers also refuse these messages, and then the caller raises `error`. But a middleware that takes one of them
    fails with an error of its own, so `error` is logged here.
    """
    messages: list[Message] = [{"type": _CUT_SHORT}]
    if not knows_paths:
        messages.insert(0, {"type": PATH_SEND, "path": ""})
    refused = 0
    try:
        for message in messages:
            try:
                await send(message)
            except Exception:  # noqa: BLE001 - each server has its own
                refused += 1
    finally:  # the middleware may cancel its app
        if refused < len(messages):
            _log.error("a response is incomplete", exc_info=error)
