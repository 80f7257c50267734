"""Report the errors that no protocol and no task has handled."""

import asyncio
import logging
import math
from typing import Any, Final

from ..sources.opening import OUT_OF_DESCRIPTORS

__all__ = ["UnhandledErrors"]


_log: Final = logging.getLogger("async_downloads")
_REPORT_SECONDS: Final = 60.0  # between two equal lines


class UnhandledErrors:
    """The exception handler of a worker's event loop.

    It does not report a lost connection: the kernel causes an OSError when it drops a client (`TCP_USER_TIMEOUT`). It
    does not report a cancelled task either, which asyncio passes on before Python 3.12. A process without free
    descriptors accepts no connection for a second; this is reported at most once per minute. With uvloop it is not
    reported: libuv closes these connections itself, and calls no handler.
    """

    def __init__(self) -> None:
        self._reported = -math.inf

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Report an error, if an operator should know of it."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in OUT_OF_DESCRIPTORS:
            self._report_shortage(loop)
        elif not isinstance(error, (OSError, asyncio.CancelledError)):
            loop.default_exception_handler(context)

    def _report_shortage(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop.time() - self._reported > _REPORT_SECONDS:
            self._reported = loop.time()
            # `report` cannot be used: it opens a pipe again, for which no descriptor is left.
            _log.warning("no file descriptor is free, so new connections must wait: raise the limit (ulimit -n)")
