"""The app behind the limits of its clients."""

from typing import Any

from ...config import ServerSettings
from .requests_in_flight import RequestsInFlight

__all__ = ["limited"]


def limited(app: Any, server: ServerSettings) -> Any:
    """Return the app behind the limits that are set; the app itself if there are none."""
    most = server.max_connections_per_client
    return RequestsInFlight(app, most) if most is not None and server.trusted_proxies else app
