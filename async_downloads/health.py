"""The paths that tell a load balancer whether this process lives, and whether it takes requests."""

from typing import Final

from .asgi import NO_STORE, error_response, uncached_response
from .responder import Response

__all__ = ["HEALTHY_PATH", "READY_PATH", "healthy", "not_ready", "ready"]


HEALTHY_PATH: Final = "/-/healthy"
READY_PATH: Final = "/-/ready"
_RETRY_SECONDS: Final = 5


def healthy() -> Response:
    """Return the response of `/-/healthy`."""
    return uncached_response(b"ok\n")


def ready() -> Response:
    """Return the response of `/-/ready` if the process takes requests."""
    return uncached_response(b"ready\n")


def not_ready() -> Response:
    """Return the response of `/-/ready` if the balancer must not send requests to the process."""
    return error_response(503, ("Retry-After", str(_RETRY_SECONDS)), NO_STORE)
