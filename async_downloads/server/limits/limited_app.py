"""The app behind the limits of its clients."""

from typing import Any

from ...config import ServerSettings
from .rate_limiter import RateLimiter
from .rates import Rates
from .requests_in_flight import RequestsInFlight

__all__ = ["limited"]


def limited(app: Any, server: ServerSettings) -> Any:
    """Return the app behind the limits that are set; the app itself if there are none.

    Each worker gets the same part of the total rate.
    """
    total = server.limit_rate_total and max(server.limit_rate_total // server.workers, 1)
    if server.limit_rate or server.limit_rate_client or total:
        app = RateLimiter(app, Rates(server.limit_rate, server.limit_rate_client, total))
    most = server.max_connections_per_client
    return RequestsInFlight(app, most) if most is not None and server.trusted_proxies else app
