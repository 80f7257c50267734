"""Hypercorn's settings, and the replacement of its parts."""

import time

from hypercorn.config import Config

from ...semantics.dates import format_date

__all__ = []


class _Config(Config):
    """Hypercorn's settings. It writes the date anew for each answer; a second's worth of answers can share it."""

    def response_headers(self, protocol: str) -> list[tuple[bytes, bytes]]:  # noqa: ARG002
        return [(b"date", format_date(int(time.time())).encode("ascii"))]
