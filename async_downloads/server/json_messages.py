"""Write the messages of the server and the records of `logging` as JSON, for a program that reads the log.

Each one is a line on standard error, with `time`, `level`, `message` and, from `logging`, `logger` and `traceback`.
Text that an app prints itself is not changed.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from .line_writer import report

__all__ = ["log_as_json"]


def log_as_json() -> None:
    """Write messages as JSON from now on. If an app has set up `logging` itself, its records keep their form."""
    report.form = _message
    logging.captureWarnings(True)
    if not logging.root.handlers:
        logging.root.addHandler(_JsonHandler())


def _message(text: str) -> str:
    return _line(datetime.now(UTC), "warning", {"message": text})


def _line(time: datetime, level: str, fields: dict[str, str]) -> str:
    return json.dumps({"time": time.isoformat(timespec="milliseconds"), "level": level, **fields}) + "\n"


class _JsonHandler(logging.Handler):
    """Writes records to the current `sys.stderr`, because a worker replaces it by a stream that never blocks."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fields = {"message": record.getMessage(), "logger": record.name}
            if record.exc_info:
                fields["traceback"] = logging.Formatter().formatException(record.exc_info)
            time = datetime.fromtimestamp(record.created, UTC)
            if sys.stderr is not None:
                sys.stderr.write(_line(time, record.levelname.lower(), fields))
        except Exception:  # noqa: BLE001 - as every handler does: a wrong call of `logging` must not stop the caller
            self.handleError(record)
