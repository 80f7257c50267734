"""The methods of connections and requests that the server of one event loop uses, in any version of HTTP."""

from typing import Protocol

from ...sending import Message, Scope
from .flow_control import FlowControl

__all__ = ["AnyConnection", "Cycle"]


class AnyConnection(Protocol):
    """A connection of any version of HTTP."""

    flow: FlowControl
    base_scope: Scope

    @property
    def deadline(self) -> float:
        """The time, by the loop's clock, at which the server calls `time_out`."""

    def drain(self) -> None:
        """Close now or after the responses that are being sent."""

    def close(self) -> None:
        """Close. The client still gets everything that was written."""

    def close_if_unused(self) -> None:
        """Close, unless the app runs a request of this connection."""

    def time_out(self) -> None:
        """End the request or the connection whose deadline has passed."""


class Cycle(Protocol):
    """A request and its response, in the form in which the app gets them."""

    status: int | None
    complete: bool
    sent: int

    def scope(self) -> Scope:
        """Return the connection scope of ASGI 3."""

    async def receive(self) -> Message:
        """Return a part of the request."""

    async def send(self, message: Message) -> None:
        """Send a part of the response."""
