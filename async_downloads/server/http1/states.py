"""The states of a connection, and their limits in seconds and bytes."""

from enum import Enum
from typing import Final

__all__ = ["BODY_SECONDS", "DISCARDED_BYTES", "FLUSH_SECONDS", "INPUT_BYTES", "LINGER_SECONDS", "State"]


BODY_SECONDS: Final = 30.0  # between bytes of a body that the app reads; for the whole of a body that it does not want
LINGER_SECONDS: Final = 2.0
FLUSH_SECONDS: Final = 60.0  # in which a client must take the last 16 KiB
INPUT_BYTES: Final = 64 * 1024  # of requests that wait for their turn, and of a body that waits for the app
DISCARDED_BYTES: Final = 256 * 1024  # of a body that the app does not want; a longer one ends the connection


class State(Enum):
    """The state of a connection. The value says what the connection waits for.

    state       deadline                       when it has passed
    IDLE        keep_alive; first: HEAD's      closed
    HEAD        header_timeout                 408, LINGERING
    RUNNING     BODY_SECONDS while a body      408, LINGERING
                is awaited, else none: the app bounds itself
    DISCARDING  BODY_SECONDS                   closed
    LINGERING   2 s                            aborted, or closed if the client has not taken the response
    """

    IDLE = "a request"
    HEAD = "the rest of a request's head"
    RUNNING = "the app"
    DISCARDING = "the rest of a body that the app did not take"
    LINGERING = "the client to close"
