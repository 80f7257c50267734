"""What the server of one event loop needs of a connection and of a request, in any version of HTTP."""

from typing import Protocol

from ...sending import Message, Scope
from .flow_control import FlowControl

__all__ = ["AnyConnection", "Cycle"]


class AnyConnection(Protocol):
    """A connection of any version of HTTP, as the server uses it."""

    flow: FlowControl
    base_scope: Scope

    @property
    def deadline(self) -> float:
        """When `time_out` is to be called, in the loop's time."""

    def drain(self) -> None:
        """Close now or after the responses that are being sent."""

    def close(self) -> None:
        """Close; the client still gets everything that was written."""

    def close_if_unused(self) -> None:
        """Close, if no app runs for it."""

    def time_out(self) -> None:
        """End the request or the connection whose deadline has passed."""


class Cycle(Protocol):
    """A request and its response, as the app gets them."""

    status: int | None
    complete: bool
    sent: int

    def scope(self) -> Scope:
        """Return the connection scope of ASGI 3."""

    async def receive(self) -> Message:
        """Return a part of the request."""

    async def send(self, message: Message) -> None:
        """Send a part of the response."""
