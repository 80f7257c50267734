"""The limits that all downloads of one Downloader share."""

from dataclasses import dataclass

from .decisions.retries import PATIENCE_SECONDS
from .http.body_stream import MinSpeed
from .rate import RateLimit

__all__ = ["TransferLimits"]


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """The limits of one download: `retries` in a row without progress, the lowest speed and the highest rate.

    `patience` is the number of seconds to wait if the server asks for it. With `strict`, an HTML page in place of a
    file is an error.
    """

    retries: float
    min_speed: MinSpeed
    rate: RateLimit
    patience: float = PATIENCE_SECONDS
    strict: bool = False
