"""What a download tells while it runs, and at its end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ..semantics.representation import Validators

__all__ = ["Progress", "Result", "Segment", "State"]

State = Literal["waiting", "downloading", "retrying", "verifying", "finished"]


class Segment(NamedTuple):
    """What one connection fetches: from `start` to before `stop` (None: to the end), of which it has come to `done`."""

    start: int
    done: int
    stop: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download is. `done` of `total` bytes are held, `resumed_from` of which were held at the start.

    `speed` is in bytes per second, smoothed. `note` says what happened lately, for people, and
    is empty when all is well.
    """

    state: State
    name: str
    total: int | None
    done: int
    resumed_from: int
    segments: tuple[Segment, ...]
    speed: float
    note: str


@dataclass(frozen=True, slots=True)
class Result:
    """A finished download.

    `transferred` counts the bytes of bodies that came, `resumed_from` those that were held from an earlier run.
    `digest` is what was verified, as `sha256:HEX`; None when there was none to verify. `unchanged` says that the whole
    file was there already.
    """

    path: Path
    size: int
    transferred: int
    resumed_from: int
    validators: Validators
    digest: str | None
    seconds: float = 0.0
    unchanged: bool = False
